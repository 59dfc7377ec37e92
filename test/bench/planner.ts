/**
 * A reconciler in this process: a real repository, a real state, the steps of a run, with or without lines to hosts.
 * Invariant: the ledger is filled through the Store with the plans the policy gives; without a pool no line is ever opened.
 * Never measures.
 */

import { failure, type Result } from '../../agent/protocol/problem.ts';
import { builtInDefaults } from '../../inventory/defaults.ts';
import { systemClock } from '../../reconciler/base/clock.ts';
import type { RunMode, RunOutcome } from '../../reconciler/base/event.ts';
import { connectionProblem } from '../../reconciler/base/problem-codes/connection.ts';
import { Claims } from '../../reconciler/claims.ts';
import type { SessionPool } from '../../reconciler/connection/session.ts';
import { Environments } from '../../reconciler/environments.ts';
import { createPolicyEngine } from '../../reconciler/policy/engine.ts';
import { reconcile } from '../../reconciler/reconcile.ts';
import { openSource } from '../../reconciler/source/source.ts';
import { FactsBook } from '../../reconciler/state/facts-book.ts';
import { openStore } from '../../reconciler/state/open-store.ts';
import type { Store } from '../../reconciler/state/store.ts';
import type { Run, RunRequest, Services } from '../../reconciler/steps/run.ts';
import { silentRuns } from '../helpers/silent-runs.ts';

export interface Planned {
  readonly run: Run;
  readonly milliseconds: number;
}

export interface Planner {
  readonly store: Store;
  /** A run up to its plan, of the branch as it is now; fails when the run does. */
  plan(): Promise<Planned>;
  /** A run that counts, as a reconciler makes it for every commit; fails when it finds anything to do. */
  settle(): Promise<void>;
  /** A whole run with its hosts; fails unless it ends as expected. */
  run(
    mode: Extract<RunMode, 'apply' | 'drift-report'>,
    outcome: RunOutcome,
    limitHosts?: readonly string[],
  ): Promise<Planned>;
  /** How often the worker evaluated a role for a host since the start. */
  evaluations(): number;
  /** Writes what a plan wants into the ledger, as if it had been applied. */
  record(run: Run): Promise<void>;
  close(): Promise<void>;
}

/** What a result holds; a problem becomes an error. */
export function must<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`${result.problem.code}: ${result.problem.message}`);
  return result.value;
}

/** Opens the parts of a reconciler for a repository and a state directory. */
export async function openPlanner(
  repository: string,
  stateDirectory: string,
  pool: SessionPool = noLines,
): Promise<Planner> {
  const store = must(await openStore(stateDirectory, { mode: 'write' }));
  const source = must(
    await openSource(repository, {
      clock: systemClock,
      mode: 'git',
      directory: '/',
      stateDirectory,
    }),
  );
  const engine = createPolicyEngine();
  engine.prepare();
  const services: Services = {
    store,
    facts: await FactsBook.open(store.facts, true),
    pool,
    engine,
    clock: systemClock,
    defaults: builtInDefaults,
    claims: new Claims(async () => []),
    snapshot: (branch) => source.snapshot(branch),
  };
  const runs = silentRuns(services);
  const environments = new Environments({
    source,
    trustedBranch: undefined,
    worktree: false,
    now: () => systemClock.now(),
  });
  const reconciled = async (
    how: Pick<RunRequest, 'mode' | 'offline' | 'records'>,
    limitHosts: readonly string[] = [],
  ): Promise<Planned & { readonly outcome: RunOutcome }> => {
    const startedAt = performance.now();
    const { environments: found, problems } = await environments.discover();
    const [environment] = found;
    if (environment === undefined) throw new Error(JSON.stringify(problems));
    const run = runs.make(
      {
        ...how,
        environment,
        trigger: 'manual',
        force: false,
        limitHosts,
        limitGroups: [],
        extraVariables: {},
      },
      { signal: new AbortController().signal, superseded: new AbortController().signal },
    );
    const summary = await reconcile(run);
    const milliseconds = performance.now() - startedAt;
    if (summary.problem !== undefined) throw new Error(JSON.stringify(run.problems));
    return { run, milliseconds, outcome: summary.outcome };
  };
  return {
    store,
    plan: () => reconciled({ mode: 'check', offline: true, records: false }),
    settle: async () => {
      const { run } = await reconciled({ mode: 'apply', offline: false, records: true });
      if (run.rollout !== undefined) throw new Error('there was something to do');
    },
    run: async (mode, outcome, limitHosts = []) => {
      const done = await reconciled({ mode, offline: false, records: true }, limitHosts);
      if (done.outcome !== outcome) throw new Error(`a run ended with ${done.outcome} instead of ${outcome}`);
      return done;
    },
    evaluations: () => engine.counters.evaluations,
    record: (run) => record(store, run),
    close: async () => {
      await pool.close('the bench is done');
      await Promise.all([engine.close(), source.close()]);
      await store.close();
    },
  };
}

/** A pool that opens nothing. */
export const noLines: SessionPool = {
  open: async () => failure(connectionProblem('line.closed', 'this bench has no hosts')),
  sessions: () => [],
  onLost: () => {},
  close: async () => {},
};

async function record(store: Store, run: Run): Promise<void> {
  const { affected = [] } = run.decision ?? {};
  for (let first = 0; first < affected.length; first += 20_000) {
    const part = affected.slice(first, first + 20_000).map(({ places: _, ...desired }) =>
      store.ledger.recordApplied(run.request.environment.name, {
        host: desired.host,
        role: desired.role,
        digest: desired.digest,
        inputs: desired.inputs,
        plan: desired.plan,
        revision: run.snapshot?.revision.id ?? '',
        appliedAt: '2026-01-02T03:04:05.000Z',
        run: run.id,
      }),
    );
    await Promise.all(part);
  }
}
