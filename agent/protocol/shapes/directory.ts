/**
 * Parameters of `directory`: one directory, or a whole tree from the policy.
 * Invariant: tree paths are relative, without `..`, sorted; purge touches only what lies below the path.
 * Pure.
 */

import { contentSchema } from '../blob.ts';
import * as z from '../schema.ts';
import { modeSchema, ownership, pathSchema, presence, relativePathSchema } from './common.ts';

export const treeEntrySchema = z.object({
  path: relativePathSchema,
  content: contentSchema,
  mode: modeSchema,
});

export const directoryShape = z.object({
  path: pathSchema,
  state: presence,
  /** Files to hold below the path; directories between are made as needed. */
  tree: z.optional(z.array(treeEntrySchema)),
  /** Remove what lies below the path and is not in the tree. */
  purge: z.optionalBoolean,
  /** With state absent: remove it with all it holds; without, only when empty. */
  force: z.optionalBoolean,
  ...ownership,
});
export type DirectoryShape = z.Infer<typeof directoryShape>;
