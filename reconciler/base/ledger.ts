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

/** Applied digests: role → host → digest. */
export type AppliedDigests = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** Pairs of an environment: those of some roles, and those of some hosts. */
export interface PairsOf {
  readonly roles: ReadonlySet<string>;
  readonly hosts: ReadonlySet<string>;
}

/**
 * What was found to be as it should be when each thing had this fingerprint: for every role here and every host here, the
 * ledger says what the policy says, and it knows of no pair of such a host with another role.
 */
export interface Settled {
  readonly roles: ReadonlyMap<string, SettledRole>;
  /**
   * Every host that the ledger knows or that was looked at → fingerprint of it and its facts; empty: not settled, as after
   * any change of what the ledger knows of it.
   */
  readonly hosts: ReadonlyMap<string, string>;
}

export interface SettledRole {
  /** Of all that its evaluations read besides the host; empty: never the same. */
  readonly fingerprint: string;
  /** Files of the policy that its evaluations look at. */
  readonly paths: readonly string[];
}

/** What the ledger knows at one moment. */
export interface LedgerMoment {
  readonly applied: AppliedDigests;
  readonly failed: readonly FailedAttempt[];
}
