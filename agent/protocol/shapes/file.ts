/**
 * Parameters of `file` and `template`: one regular file and its content.
 * Invariant: content is known by hash before the host is asked; a template deferred to the host says which program renders it.
 * Pure.
 */

import { contentSchema } from '../blob.ts';
import * as z from '../schema.ts';
import { ownership, pathSchema, presence } from './common.ts';

/**
 * A template that needs registered results, rendered on the host: `program` is a CommonJS module whose export
 * `render(context)` returns the text; `context` is what it may read besides the registered results (`results`).
 */
export const deferredSchema = z.object({
  program: contentSchema,
  context: z.record(z.json),
  /** Where the template is in the policy, for messages. */
  source: z.string,
});

export const fileShape = z.object({
  path: pathSchema,
  state: presence,
  content: z.optional(contentSchema),
  deferred: z.optional(deferredSchema),
  /** Write only when nothing is there; what is there is left alone. */
  createOnly: z.optionalBoolean,
  /** argv run on the host with `%s` replaced by the temporary file; a non-zero exit keeps the old content. */
  validate: z.optionalStrings,
  /** Keep the replaced content beside the file, as `<path>.<UTC time>~`. */
  backup: z.optionalBoolean,
  ...ownership,
});
export type FileShape = z.Infer<typeof fileShape>;
