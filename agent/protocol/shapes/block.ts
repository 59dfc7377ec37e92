/**
 * Parameters of `block`: several lines in a text file between two marker lines.
 * Invariant: only what stands between the markers is ever changed.
 * Pure.
 */

import * as z from '../schema.ts';
import { ownership, pathSchema, presence } from './common.ts';

export const blockShape = z.object({
  path: pathSchema,
  state: presence,
  block: z.string,
  /** The two marker lines, whole. */
  begin: z.string.check(z.matches(/^[^\n\0]+$/)),
  end: z.string.check(z.matches(/^[^\n\0]+$/)),
  after: z.optional(z.string),
  before: z.optional(z.string),
  create: z.optional(z.boolean),
  validate: z.optional(z.array(z.string)),
  backup: z.optional(z.boolean),
  ...ownership,
});
export type BlockShape = z.Infer<typeof blockShape>;
