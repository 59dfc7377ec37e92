/**
 * What survives a restart: ledger, facts, history, environments. SQLite by default; other engines implement the same.
 * Invariant: each write is atomic; a (environment, host, role) is applied only when its converge was verified to the end.
 * Never stores a secret or the text of a sensitive change.
 */

import type { Facts } from '../../agent/protocol/facts.ts';
import type { Problem } from '../../agent/protocol/problem.ts';
import type { RevisionInfo, RunEvent, RunMode, RunSummary, Trigger } from '../base/event.ts';
import type {
  AppliedDigests,
  FailedAttempt,
  LedgerEntry,
  LedgerMoment,
  PairsOf,
  Settled,
} from '../base/ledger.ts';

export interface LedgerStore {
  /** Applied digests of an environment, of all pairs or of some. Bulk, for planning; true until the next write. */
  digests(environment: string, of?: PairsOf): Promise<AppliedDigests>;
  /** How many pairs of an environment are applied. */
  count(environment: string): Promise<number>;
  settled(environment: string): Promise<Settled>;
  /** Puts what `judge` finds settled in the place of what was; it is asked and written in one moment, about the pairs given. */
  settle(
    environment: string,
    of: PairsOf | undefined,
    judge: (moment: LedgerMoment) => Settled,
  ): Promise<void>;
  entry(environment: string, host: string, role: string): Promise<LedgerEntry | undefined>;
  /** Many entries, in the order of the pairs. */
  entries(
    environment: string,
    pairs: readonly { readonly host: string; readonly role: string }[],
  ): Promise<readonly (LedgerEntry | undefined)[]>;
  /** Records success and clears the failed attempt, in one transaction. */
  recordApplied(environment: string, entry: LedgerEntry): Promise<void>;
  recordFailed(environment: string, attempt: Omit<FailedAttempt, 'attempts'>): Promise<void>;
  failed(environment: string): Promise<readonly FailedAttempt[]>;
  /** The pair is no longer wanted: forgets it and gives back what it managed. */
  release(environment: string, host: string, role: string): Promise<LedgerEntry | undefined>;
  /** Every environment that has applied something to this host. */
  environmentsOf(host: string): Promise<readonly string[]>;
}

export interface FactsRecord {
  readonly facts: Facts;
  readonly at: string;
  /** Of all in them that lasts. */
  readonly fingerprint: string;
}

export interface FactsStore {
  /** Of every host; what is not looked at costs next to nothing. */
  all(): Promise<ReadonlyMap<string, FactsRecord>>;
  get(host: string): Promise<FactsRecord | undefined>;
  put(host: string, facts: Facts, at: string): Promise<void>;
}

export interface RunRecord {
  readonly run: string;
  readonly environment: string;
  readonly trigger: Trigger;
  readonly mode: RunMode;
  readonly startedAt: string;
  readonly finishedAt?: string | undefined;
  readonly revision?: RevisionInfo | undefined;
  /** Absent while it runs, or when the reconciler was killed in the middle. */
  readonly summary?: RunSummary | undefined;
}

export interface HistoryStore {
  start(record: RunRecord): Promise<void>;
  /** Events in order; called in batches. */
  append(run: string, events: readonly RunEvent[]): Promise<void>;
  finish(
    run: string,
    finish: {
      readonly at: string;
      readonly revision?: RevisionInfo | undefined;
      readonly summary: RunSummary;
    },
  ): Promise<void>;
  /** Newest first. */
  runs(filter: {
    readonly environment?: string | undefined;
    readonly host?: string | undefined;
    readonly limit: number;
  }): Promise<readonly RunRecord[]>;
  /** By full id or an unambiguous beginning of it. */
  run(id: string): Promise<{ readonly record: RunRecord; readonly events: readonly RunEvent[] } | undefined>;
  /** Drops runs older than this ISO time, with their events. */
  prune(before: string): Promise<number>;
}

export interface EnvironmentRecord {
  readonly name: string;
  readonly branch: string;
  /** The revision in force: the last one that was fetched, verified, loaded and planned. */
  readonly lastGood?: RevisionInfo | undefined;
  /** The newest revision seen, good or not. */
  readonly seen?: RevisionInfo | undefined;
  /** Why the newest revision is not in force. */
  readonly stalled?: { readonly problems: readonly Problem[]; readonly since: string } | undefined;
  readonly lastFetchAt?: string | undefined;
  readonly lastDriftAt?: string | undefined;
  readonly suspended?:
    | {
        readonly reason: string;
        readonly by: string;
        readonly at: string;
        readonly until?: string | undefined;
      }
    | undefined;
  /** Its branch is gone; nothing runs, what was applied stays on the hosts. */
  readonly endedAt?: string | undefined;
}

export interface EnvironmentStore {
  all(): Promise<readonly EnvironmentRecord[]>;
  get(name: string): Promise<EnvironmentRecord | undefined>;
  put(record: EnvironmentRecord): Promise<void>;
}

export interface Store {
  readonly ledger: LedgerStore;
  readonly facts: FactsStore;
  readonly history: HistoryStore;
  readonly environments: EnvironmentStore;
  close(): Promise<void>;
}
