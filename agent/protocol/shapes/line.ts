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
  line: z.matching(/^[^\n\0]*$/),
  /** JavaScript regular expression; which line to replace (present) or to remove (absent). */
  match: z.optionalString,
  /** Regular expression: a new line goes after the last match (before, for `before`); else to the end. */
  after: z.optionalString,
  before: z.optionalString,
  /** Make the file when it is missing. */
  create: z.optionalBoolean,
  validate: z.optionalStrings,
  backup: z.optionalBoolean,
  ...ownership,
});
export type LineShape = z.Infer<typeof lineShape>;
