/**
 * Validation of a Problem that crosses the wire.
 * Invariant: accepts exactly what problem.ts describes; nested causes are bounded by the frame's size.
 * Pure.
 */

import { dispositions, type Problem } from './problem.ts';
import * as z from './schema.ts';

const placeSchema = z.object({
  file: z.optional(z.string),
  line: z.optional(z.number),
  column: z.optional(z.number),
  environment: z.optional(z.string),
  host: z.optional(z.string),
  role: z.optional(z.string),
  resource: z.optional(z.string),
});

export const problemSchema: z.Schema<Problem> = z.object({
  code: z.string,
  disposition: z.oneOf(dispositions),
  message: z.string,
  hint: z.string,
  where: z.optional(placeSchema),
  cause: z.optional(z.lazy(() => problemSchema)),
  lines: z.optional(z.array(z.string)),
});
