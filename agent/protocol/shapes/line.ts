/**
 * Parameters of `line`: one line in a text file.
 * Invariant: with `match`, the last matching line is replaced; without, the line itself is looked for.
 * Pure.
 */

import * as z from '../schema.ts';
import { ownership, pathSchema, presence } from './common.ts';

export const lineShape = z.object({
  path: pathSchema,
  state: presence,
  line: z.string.check(z.matches(/^[^\n\0]*$/)),
  /** JavaScript regular expression; which line to replace (present) or to remove (absent). */
  match: z.optional(z.string),
  /** Regular expression: a new line goes after the last match (before, for `before`); else to the end. */
  after: z.optional(z.string),
  before: z.optional(z.string),
  /** Make the file when it is missing. */
  create: z.optional(z.boolean),
  validate: z.optional(z.array(z.string)),
  backup: z.optional(z.boolean),
  ...ownership,
});
export type LineShape = z.Infer<typeof lineShape>;
