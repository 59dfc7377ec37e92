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
  begin: z.matching(/^[^\n\0]+$/),
  end: z.matching(/^[^\n\0]+$/),
  after: z.optionalString,
  before: z.optionalString,
  create: z.optionalBoolean,
  validate: z.optionalStrings,
  backup: z.optionalBoolean,
  ...ownership,
});
export type BlockShape = z.Infer<typeof blockShape>;
