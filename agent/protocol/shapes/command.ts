/**
 * Parameters of `command`: one program run on the host.
 * Invariant: argv, never a shell string; who wants a shell names it as the program.
 * Pure.
 */

import * as z from '../schema.ts';
import { pathSchema } from './common.ts';

export const commandShape = z.object({
  argv: z.array(z.string).check(z.holds((argv: readonly string[]) => argv.length > 0, 'is empty')),
  /** Nothing to do when this path exists; it must exist afterwards. */
  creates: z.optional(pathSchema),
  /** Nothing to do when this path is missing. */
  removes: z.optional(pathSchema),
  /** Guards, run on apply only: act only if this ends with 0 … */
  onlyIf: z.optionalStrings,
  /** … act unless this ends with 0. A dry run does not run guards and answers `unknown`. */
  unless: z.optionalStrings,
  cwd: z.optional(pathSchema),
  env: z.optional(z.record(z.string)),
  stdin: z.optionalString,
  /** Exit statuses that count as success; default [0]. */
  exitStatus: z.optional(z.array(z.number)),
});
export type CommandShape = z.Infer<typeof commandShape>;
