/**
 * `echo`, `assert` and `stop`: kinds that say or decide, and change nothing.
 * Invariant: what depends on registered results is decided on the host.
 * Public: this file is part of the declarations editors show, so it imports from this folder only.
 */

import { Draft } from './draft.ts';
import type { Condition, MetaParameters, Resource } from './resource.ts';

/** Parameters of `echo`. */
export interface EchoParameters extends MetaParameters {
  /** What to say; `{{ probe.stdout }}` inserts a registered result. Default: the name. */
  message?: string | undefined;
}

/** Parameters of `assert`. */
export interface AssertParameters extends MetaParameters {
  /** What must hold: one condition or several. */
  that: Condition | readonly Condition[];
  /** What to say when it does not hold. */
  message?: string | undefined;
}

/** Parameters of `stop`. */
export interface StopParameters extends MetaParameters {
  /** Why the role stops here. Default: the name. */
  message?: string | undefined;
}

/** Says something in the report: `echo('kernel is {{ probe.stdout }}')`. */
export function echo(name: string, parameters: EchoParameters = {}): Resource {
  return new Draft(echo, 'echo', name, parameters);
}

/** Fails the role unless something holds: `assert('root is writable', { that: 'probe.rc == 0' })`. */
export function assert(name: string, parameters: AssertParameters): Resource {
  return new Draft(assert, 'assert', name, parameters);
}

/** Fails the role here: `stop('this release is not for replicas', { when: 'probe.stdout == "replica"' })`. */
export function stop(name: string, parameters: StopParameters = {}): Resource {
  return new Draft(stop, 'stop', name, parameters);
}
