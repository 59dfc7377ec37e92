/**
 * How one resource ended, and the sums over many.
 * Invariant: a closed vocabulary; `unknown` appears only in dry runs and is never counted as unchanged.
 * Never a boolean pair.
 */

import { changeSchema } from './change.ts';
import { problemSchema } from './problem-schema.ts';
import * as z from './schema.ts';

export const outcomes = ['unchanged', 'changed', 'failed', 'skipped', 'unknown'] as const;
export type Outcome = (typeof outcomes)[number];

/** What `register` stores and conditions read; kinds add their own members (rc, stdout, stderr …). */
export const registeredSchema = z.record(z.json);
export type Registered = z.Infer<typeof registeredSchema>;

export const resourceReportSchema = z.object({
  resource: z.string,
  /** The handler's name when the resource ran inside one. */
  handler: z.optionalString,
  outcome: z.oneOf(outcomes),
  changes: z.array(changeSchema),
  milliseconds: z.number,
  /** Why it was skipped or is unknown, for people. */
  reason: z.optionalString,
  problem: z.optional(problemSchema),
  /** True when ignoreErrors let the role go on after this failure. */
  ignored: z.optionalBoolean,
  attempts: z.optionalNumber,
});
export type ResourceReport = z.Infer<typeof resourceReportSchema>;

export const countsSchema = z.object({
  unchanged: z.number,
  changed: z.number,
  failed: z.number,
  skipped: z.number,
  unknown: z.number,
});
export type OutcomeCounts = z.Infer<typeof countsSchema>;

/** Counts reports by outcome; ignored failures count as failed here and are told apart by the caller. */
export function countOutcomes(reports: Iterable<{ readonly outcome: Outcome }>): OutcomeCounts {
  const counts = { unchanged: 0, changed: 0, failed: 0, skipped: 0, unknown: 0 };
  for (const report of reports) counts[report.outcome] += 1;
  return counts;
}
