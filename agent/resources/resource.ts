/**
 * The contract of a kind: check looks, apply acts, verify looks again.
 * Invariant: check gets a reader only, so a dry run cannot change a host by type; apply does exactly the changes it is given.
 * Never reads the clock or the protocol; everything comes in as an argument.
 */

import type { Change } from '../protocol/change.ts';
import type { Expression } from '../protocol/expression.ts';
import type { Json } from '../protocol/json.ts';
import type { Kind } from '../protocol/kind.ts';
import type { Registered } from '../protocol/outcome.ts';
import type { PlannedResource } from '../protocol/plan.ts';
import type { Problem } from '../protocol/problem.ts';
import type { Shapes } from '../protocol/shapes/index.ts';
import type { System, SystemReader } from '../system/system.ts';

/** What a check may know of the run besides the host. */
export interface CheckContext {
  /** Dry run: resources before this one that would change or are unknown, so their effect is not on the host yet. Empty when applying. */
  readonly pending: readonly PlannedResource[];
  /** Registered results so far, by name. In a dry run, `unknown` names those that cannot be known. */
  readonly results: Readonly<Record<string, Registered>>;
  readonly unknown: ReadonlySet<string>;
  /** Value of an expression over the registered results; `{ unknown: true }` when a dry run cannot know it. */
  evaluate(expression: Expression): { readonly value: Json | undefined } | { readonly unknown: true };
}

/** The changes still to make (none: converged), or why a dry run cannot know them. Outside a dry run never unknown. */
export type CheckResult = readonly Change[] | { readonly unknown: string };

/**
 * What apply hands back. `registered`: members added to the registered result (besides changed, failed, skipped).
 * `failure`: a failure that failedWhen may overrule; everything thrown cannot be.
 */
export type Applied =
  | { readonly registered?: Registered | undefined; readonly failure?: Problem | undefined }
  | undefined;

export interface Resource<K extends Kind> {
  /**
   * Asked in apply mode only, after the `when` condition and before check: may run programs to decide, or to refresh what
   * check reads; it changes nothing a check announces. False skips the resource (reason: guard).
   */
  guard?(system: System, wanted: Shapes[K]): Promise<boolean>;
  check(system: SystemReader, wanted: Shapes[K], context: CheckContext): Promise<CheckResult>;
  apply(
    system: System,
    wanted: Shapes[K],
    changes: readonly Change[],
    context: CheckContext,
  ): Promise<Applied>;
  /** The second look after apply; default is `check`. Kinds whose acts leave nothing to look at say what they can. */
  verify?(system: SystemReader, wanted: Shapes[K], context: CheckContext): Promise<CheckResult>;
  /** Applies several neighbouring resources of this kind in one transaction. Called instead of apply when more than one has changes. */
  applyTogether?(
    system: System,
    items: readonly { readonly wanted: Shapes[K]; readonly changes: readonly Change[] }[],
  ): Promise<void>;
  /** What an unchanged resource adds to its registered result (a file's hash, a package's version). */
  observe?(system: SystemReader, wanted: Shapes[K]): Promise<Registered>;
}
