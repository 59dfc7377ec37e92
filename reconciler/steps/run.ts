/**
 * A run as its steps see it: what was asked, the services at hand, what earlier steps found.
 * Invariant: a step writes only the members it is named for; steps return, they do not publish status.
 * Never kept beyond its run; what outlives it is in the environment's memory or the store.
 */

import type { Json } from '../../agent/protocol/json.ts';
import type { Problem, Result } from '../../agent/protocol/problem.ts';
import type { Defaults } from '../../inventory/defaults.ts';
import type { Inventory } from '../../inventory/model.ts';
import type { Clock } from '../base/clock.ts';
import type { RevisionInfo, RunMode, RunOutcome, Trigger } from '../base/event.ts';
import type { FailedAttempt, LedgerEntry, PairsOf, Settled } from '../base/ledger.ts';
import type { Claims } from '../claims.ts';
import type { RuntimeShipping } from '../connection/runtime/shipping.ts';
import type { SessionPool } from '../connection/session.ts';
import type { Decision, RoleEvaluations } from '../plan/affected.ts';
import type { Environment } from '../policy/environment.ts';
import type { LoadedPolicy, PolicyEngine, RoleDefinition } from '../policy/model.ts';
import type { RolloutResult } from '../rollout/roll-out.ts';
import type { Emit } from '../rollout/run-host.ts';
import type { Snapshot } from '../source/snapshot.ts';
import type { FactsBook, HostFacts } from '../state/facts-book.ts';
import type { Store } from '../state/store.ts';

/** What a run is asked to do. */
export interface RunRequest {
  readonly environment: Environment;
  readonly trigger: Trigger;
  readonly mode: RunMode;
  /** Plan only: no host is contacted. */
  readonly offline: boolean;
  /** Whether state is written: plans and checks of a person leave none. */
  readonly records: boolean;
  /** Take pairs that are current as well. */
  readonly force: boolean;
  /** Hosts that the last try could not reach are left to a retry that follows, so that nobody waits for them. */
  readonly defersUnreachable?: boolean | undefined;
  /** Patterns that narrow the hosts before any connection is opened. */
  readonly limitHosts: readonly string[];
  readonly limitGroups: readonly string[];
  /** Exactly these hosts, besides the patterns. */
  readonly onlyHosts?: ReadonlySet<string> | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly skipTags?: readonly string[] | undefined;
  readonly extraVariables: Readonly<Record<string, Json>>;
  /** A revision instead of the branch's newest. */
  readonly revision?: string | undefined;
}

/** A revision that was loaded without a problem. */
export interface Loaded {
  readonly snapshot: Snapshot;
  readonly inventory: Inventory;
  readonly policy: LoadedPolicy;
  /** In rollout order. */
  readonly roles: readonly RoleDefinition[];
  /** What of the environment's declaration went into it. */
  readonly declaration: string;
  /** Where the inventory is in the snapshot. */
  readonly inventoryPath: string;
}

/** What an environment remembers between its runs. */
export interface EnvironmentMemory {
  /** The revision in force. */
  lastGood: Loaded | undefined;
}

/** The hosts as a run saw them, and which pairs it looks at. */
export interface Look {
  /** Facts of the hosts that have some. */
  readonly facts: ReadonlyMap<string, HostFacts>;
  /** Host → fingerprint of it and these facts. */
  readonly hosts: ReadonlyMap<string, string>;
  /** What an earlier run left. */
  readonly before: Settled;
  /** Pairs to look at; undefined: all of them. */
  readonly open: PairsOf | undefined;
}

export interface Services {
  readonly store: Store;
  readonly facts: FactsBook;
  readonly pool: SessionPool;
  /** Left out: hosts get no runtimes. */
  readonly shipping?: RuntimeShipping | undefined;
  readonly engine: PolicyEngine;
  readonly clock: Clock;
  /** What the controller's defaults file says. */
  readonly defaults: Defaults;
  /** Who has which host, over all environments. */
  readonly claims: Claims;
  /** The tree to reconcile: of the branch's head, or of one revision. */
  readonly snapshot: (branch: string, revision?: string) => Promise<Result<Snapshot>>;
}

export interface Run {
  readonly id: string;
  readonly request: RunRequest;
  readonly services: Services;
  readonly memory: EnvironmentMemory;
  readonly emit: Emit;
  /** Stop now, at the next resource boundary. */
  readonly signal: AbortSignal;
  /** Something newer waits: start no further role, and in a drift run no further host. */
  readonly superseded: AbortSignal;
  /** Milliseconds since it began. */
  readonly elapsed: () => number;
  /** Writes the run's beginning into history; the first call counts. */
  readonly remember: () => Promise<void>;
  readonly isRemembered: () => boolean;
  snapshot?: Snapshot;
  loaded?: Loaded;
  look?: Look;
  /** Of the pairs looked at. */
  evaluations?: readonly RoleEvaluations[];
  /** How many hosts its roles are for. */
  hosts?: number;
  /** Pairs whose last try did not succeed, by their key. */
  failed?: ReadonlyMap<string, FailedAttempt>;
  decision?: Decision;
  entries?: ReadonlyMap<string, LedgerEntry>;
  rollout?: RolloutResult;
  /** What ended the run early. */
  problems: readonly Problem[];
  /** Hosts that a retry takes up after this run. */
  deferred?: ReadonlyMap<string, Problem>;
  /** Why hosts could not be asked for their facts. */
  readonly unreachable: Map<string, Problem>;
}

/** What a step decides: go on, or end the run here. */
export type StepResult =
  | { readonly goOn: true }
  | { readonly goOn: false; readonly outcome: RunOutcome; readonly problems: readonly Problem[] };

/** One named step of a run. */
export interface Step {
  readonly name: string;
  take(run: Run): Promise<StepResult>;
}

export const goOn: StepResult = { goOn: true };

/** Ends the run. */
export function end(outcome: RunOutcome, problems: readonly Problem[] = []): StepResult {
  return { goOn: false, outcome, problems };
}

/** Nothing may change on a host. */
export function looksOnly({ mode }: RunRequest): boolean {
  return mode === 'check' || mode === 'drift-report';
}

/** Drift runs and retries are about the revision in force: what is newer and broken does not keep them from it. */
export function isAboutRevisionInForce({ mode, trigger, onlyHosts }: RunRequest): boolean {
  return mode.startsWith('drift') || (trigger === 'retry' && onlyHosts !== undefined);
}

/** The revision a run works on, once it is known. */
export function revisionOf(run: Run): RevisionInfo | undefined {
  return run.snapshot?.revision;
}
