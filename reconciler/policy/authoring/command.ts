/**
 * `command`: one program run on the host.
 * Invariant: a list of words, never a shell line; who wants a shell names it as the program.
 * Public: this file is part of the declarations editors show, so it imports from this folder only.
 */

import { Draft } from './draft.ts';
import type { MetaParameters, Resource } from './resource.ts';

/** Parameters of `command`. */
export interface CommandParameters extends MetaParameters {
  /** Program and arguments, e.g. `['tar', '-xf', 'app.tar']`. */
  argv: readonly string[];
  /** Nothing to do when this path exists; it must exist afterwards. */
  creates?: string | undefined;
  /** Nothing to do when this path is missing. */
  removes?: string | undefined;
  /** Run only if this program ends with status 0. */
  onlyIf?: readonly string[] | undefined;
  /** Run unless this program ends with status 0. */
  unless?: readonly string[] | undefined;
  /** Directory to run in. */
  cwd?: string | undefined;
  /** Environment variables to add. */
  env?: { readonly [name: string]: string } | undefined;
  /** Text for standard input. */
  stdin?: string | undefined;
  /** Exit statuses that count as success. Default `[0]`. */
  exitStatus?: readonly number[] | undefined;
}

/** A program to run: `command('unpack', { argv: ['tar', '-xf', 'app.tar'], creates: '/srv/app/bin' })`. */
export function command(name: string, parameters: CommandParameters): Resource {
  return new Draft(command, 'command', name, parameters);
}
