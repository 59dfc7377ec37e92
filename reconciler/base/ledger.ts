/**
 * What is remembered of one (host, role): what was applied, and the last try that did not succeed.
 * Invariant: applied means verified to the end; a failed attempt is there until one succeeds.
 * Plain data.
 */

import type { RolePlan } from '../../agent/protocol/plan.ts';
import type { Problem } from '../../agent/protocol/problem.ts';

/** What is known of one applied (host, role). */
export interface LedgerEntry {
  readonly host: string;
  readonly role: string;
  /** Plan digest last applied successfully. */
  readonly digest: string;
  readonly revision: string;
  /** ISO 8601. */
  readonly appliedAt: string;
  readonly run: string;
  /** Fingerprint of what the evaluation read (role source, variables, facts), to say later what changed. */
  readonly inputs: Readonly<Record<string, string>>;
  /** The plan as it was applied: resources it manages, and the base of the next delta. */
  readonly plan: RolePlan;
}

/** The last try that did not succeed, until one does. */
export interface FailedAttempt {
  readonly host: string;
  readonly role: string;
  readonly digest: string;
  readonly at: string;
  readonly run: string;
  readonly problem: Problem;
  /** How many in a row. */
  readonly attempts: number;
}
