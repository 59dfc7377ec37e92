/**
 * The real loop on a small fleet: source, store in memory, policy engine, SSH lines, controller.
 * Invariant: nothing of ours is replaced; only randomness is fixed.
 * Test code only.
 */

import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import type { Problem } from '../../../agent/protocol/problem.ts';
import { builtInDefaults } from '../../../inventory/defaults.ts';
import { systemClock } from '../../../reconciler/base/clock.ts';
import type { RunEvent, RunSummary } from '../../../reconciler/base/event.ts';
import { Claims } from '../../../reconciler/claims.ts';
import { ConnectionPool, poolOptions } from '../../../reconciler/connection/pool.ts';
import { Controller, type ControllerOptions } from '../../../reconciler/controller.ts';
import { Environments } from '../../../reconciler/environments.ts';
import { readHoldings } from '../../../reconciler/holdings.ts';
import { createPolicyEngine } from '../../../reconciler/policy/engine.ts';
import { reconcile } from '../../../reconciler/reconcile.ts';
import { createHistorySink } from '../../../reconciler/report/history.ts';
import { RunFactory } from '../../../reconciler/run-factory.ts';
import type { PolicySource } from '../../../reconciler/source/policy-source.ts';
import { openSource } from '../../../reconciler/source/source.ts';
import { FactsBook } from '../../../reconciler/state/facts-book.ts';
import { openMemoryStore } from '../../../reconciler/state/open-store.ts';
import type { Store } from '../../../reconciler/state/store.ts';
import type { RunRequest, Services } from '../../../reconciler/steps/run.ts';

export interface LoopOptions {
  readonly location: string;
  readonly folder: string;
  readonly store?: Store;
  readonly random?: () => number;
  readonly controller?: Partial<ControllerOptions>;
}

export interface SeenRun {
  readonly environment: string;
  readonly summary: RunSummary;
}

/** Everything a controller needs, open. */
export class Loop {
  readonly services: Services;
  readonly source: PolicySource;
  readonly environments: Environments;
  readonly runs: RunFactory;
  readonly store: Store;
  readonly ended: SeenRun[] = [];
  readonly events: RunEvent[] = [];
  readonly problems: Problem[] = [];
  readonly #history: ReturnType<typeof createHistorySink>;
  readonly #stop = new AbortController();
  readonly #waiting = new Set<() => void>();
  #running: Promise<void> | undefined;
  controller: Controller | undefined;

  private constructor(
    source: PolicySource,
    store: Store,
    { facts, random }: { readonly facts: FactsBook; readonly random: () => number },
  ) {
    this.source = source;
    this.store = store;
    const now = (): number => systemClock.now();
    this.environments = new Environments({ source, trustedBranch: undefined, worktree: false, now });
    this.#history = createHistorySink({ store: store.history, onFailure: () => {} });
    const snapshot: Services['snapshot'] = (branch, revision) =>
      revision === undefined ? source.snapshot(branch) : source.snapshotAt(revision, branch);
    this.services = {
      store,
      facts,
      pool: new ConnectionPool(poolOptions(() => {})),
      engine: createPolicyEngine(),
      clock: systemClock,
      defaults: builtInDefaults,
      snapshot,
      claims: new Claims(() => readHoldings({ environments: this.environments, store, snapshot })),
    };
    this.runs = new RunFactory({
      redact: (sink) => sink,
      services: this.services,
      watchers: (event) => {
        this.events.push(event);
        for (const look of this.#waiting) look();
      },
      history: this.#history.sink,
      random: Math.random,
    });
    this.#random = random;
  }

  readonly #random: () => number;

  static async open({ location, folder, store, random = () => 0 }: LoopOptions): Promise<Loop> {
    const source = await openSource(location, {
      clock: systemClock,
      mode: 'git',
      directory: folder,
      stateDirectory: mkdtempSync(join(folder, 'state-')),
    });
    if (!source.ok) throw new Error(source.problem.message);
    const refreshed = await source.value.refresh();
    if (!refreshed.ok) throw new Error(refreshed.problem.message);
    const memory = store ?? opened(openMemoryStore());
    const facts = await FactsBook.open(memory.facts, true);
    return new Loop(source.value, memory, { facts, random });
  }

  /** One run of the first environment, without a controller. */
  async runOnce(): Promise<RunSummary> {
    const never = new AbortController().signal;
    const environment = (await this.environments.discover()).environments[0];
    if (environment === undefined) throw new Error('no environment');
    return reconcile(this.runs.make(requestOf(environment), { signal: never, superseded: never }));
  }

  /** Starts the controller. */
  run(more: Partial<ControllerOptions> = {}): this {
    const { services, source, environments, runs } = this;
    const told = more.onRun;
    const options: ControllerOptions = {
      services,
      source,
      environments,
      runs,
      random: this.#random,
      worktree: false,
      only: [],
      request: { limitHosts: [], limitGroups: [], tags: undefined, skipTags: undefined, extraVariables: {} },
      schedules: false,
      onProblem: (problem) => {
        this.problems.push(problem);
        for (const look of this.#waiting) look();
      },
      ...more,
      onRun: (environment, summary) => {
        this.ended.push({ environment, summary });
        told?.(environment, summary);
        for (const look of this.#waiting) look();
      },
    };
    this.controller = new Controller(options);
    this.#running = this.controller.run(this.#stop.signal);
    return this;
  }

  /** Waits until something holds; looks after every event. */
  async until(holds: () => boolean, what = 'what was waited for'): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = (): void => {
      if (holds()) resolve();
    };
    const beat = setInterval(look, 25);
    const timer = setTimeout(() => {
      const seen = this.ended.map(({ environment, summary }) => [
        environment,
        summary.outcome,
        summary.problem,
      ]);
      reject(new Error(`${what} did not come: ${JSON.stringify([seen, this.problems])}`));
    }, 8000);
    this.#waiting.add(look);
    look();
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      clearInterval(beat);
      this.#waiting.delete(look);
    }
  }

  /** Waits until that many runs have ended and nothing is left to do. */
  async settled(runs: number): Promise<SeenRun> {
    await this.until(() => this.ended.length >= runs && this.controller?.idle === true, `run ${runs}`);
    return this.ended.at(-1) as SeenRun;
  }

  /** Hosts that a run took in hand, since that event. */
  contacted(since = 0): string[] {
    const hosts = this.events
      .slice(since)
      .flatMap((event) =>
        event.type === 'host-finished' || event.type === 'host-failed' ? [event.host] : [],
      );
    return [...new Set(hosts)].sort();
  }

  /** Ends the controller and gives when its promise settled. */
  async end(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async close(keepStore = false): Promise<void> {
    await this.end();
    await this.services.pool.close('the test is over');
    await Promise.all([this.services.engine.close(), this.source.close(), this.#history.flush()]);
    if (!keepStore) await this.store.close();
  }
}

/** A request for one run. */
export function requestOf(
  environment: RunRequest['environment'],
  more: Partial<RunRequest> = {},
): RunRequest {
  return {
    environment,
    trigger: 'manual',
    mode: 'apply',
    offline: false,
    records: true,
    force: false,
    limitHosts: [],
    limitGroups: [],
    extraVariables: {},
    ...more,
  };
}

function opened<T>(result: { readonly ok: true; readonly value: T } | { readonly ok: false }): T {
  if (!result.ok) throw new Error('the store did not open');
  return result.value;
}
