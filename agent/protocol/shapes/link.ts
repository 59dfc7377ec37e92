/**
 * Parameters of `link`: one symbolic link.
 * Invariant: a path of another type is replaced only with `force`.
 * Pure.
 */

import * as z from '../schema.ts';
import { pathSchema, presence } from './common.ts';

export const linkShape = z.object({
  path: pathSchema,
  state: presence,
  /** What the link says, as it is (may be relative). */
  target: z.optionalString,
  force: z.optionalBoolean,
});
export type LinkShape = z.Infer<typeof linkShape>;
