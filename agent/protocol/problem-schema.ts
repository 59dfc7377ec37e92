/**
 * Validation of a Problem that crosses the wire.
 * Invariant: accepts exactly what problem.ts describes; nested causes are bounded by the frame's size.
 * Pure.
 */

import { dispositions, type Problem } from './problem.ts';
import * as z from './schema.ts';

const placeSchema = z.object({
  file: z.optionalString,
  line: z.optionalNumber,
  column: z.optionalNumber,
  environment: z.optionalString,
  host: z.optionalString,
  role: z.optionalString,
  resource: z.optionalString,
});

export const problemSchema: z.Schema<Problem> = z.object({
  code: z.string,
  disposition: z.oneOf(dispositions),
  message: z.string,
  hint: z.string,
  where: z.optional(placeSchema),
  cause: z.optional(z.lazy(() => problemSchema)),
  lines: z.optionalStrings,
});
