/**
 * THE LOOP: for ever, take the next environment due, reconcile it, decide when again.
 * Invariant: one run per environment at a time; a newer revision supersedes; a failing environment never stops another.
 * Never touches a host or a repository itself.
 */

import type { Problem } from '../agent/protocol/problem.ts';
import type { RunSummary, Trigger } from './base/event.ts';
import { DriftSchedule } from './drift-schedule.ts';
import type { Discovery, Environments } from './environments.ts';
import { nextTry } from './plan/retry.ts';
import type { Environment } from './policy/environment.ts';
import { type Job, JobQueue } from './queue.ts';
import { reconcile } from './reconcile.ts';
import type { RunFactory } from './run-factory.ts';
import type { PolicySource } from './source/policy-source.ts';
import type { RunRequest, Services } from './steps/run.ts';

export interface ControllerOptions {
  readonly services: Services;
  readonly source: PolicySource;
  readonly environments: Environments;
  readonly runs: RunFactory;
  readonly random: () => number;
  /** Watch mode: saved files instead of commits. */
  readonly worktree: boolean;
  /** Only these environments; empty: all. */
  readonly only: readonly string[];
  /** What every run of this controller has in common. */
  readonly request: Pick<RunRequest, 'limitHosts' | 'limitGroups' | 'tags' | 'skipTags' | 'extraVariables'>;
  /** Poll and drift schedules; watch mode goes without. */
  readonly schedules: boolean;
  /** Told about problems that belong to no run. */
  readonly onProblem: (problem: Problem) => void;
  readonly onRun: (environment: string, summary: RunSummary) => void;
}

export class Controller {
  readonly #options: ControllerOptions;
  readonly #queue = new JobQueue();
  readonly #bound = new Map<string, Environment>();
  readonly #heads = new Map<string, string>();
  readonly #superseding = new Map<string, AbortController>();
  readonly #retries = new Map<string, NodeJS.Timeout>();
  readonly #drift: DriftSchedule;
  #poll: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#drift = new DriftSchedule((environment) => this.#driftDue(environment));
  }

  /** Runs until aborted; resolves when the last run has ended. */
  async run(signal: AbortSignal): Promise<void> {
    const { source, worktree } = this.#options;
    const stopListening = await source.onChange((change) => {
      if (change.type === 'problem') this.#options.onProblem(change.problem);
      else void this.look(worktree ? 'edit' : 'commit');
    });
    await this.look('start');
    this.#schedulePoll(signal);
    const running = new Set<Promise<void>>();
    for (let job = await this.#queue.next(signal); job !== undefined; job = await this.#queue.next(signal)) {
      const work: Promise<void> = this.#take(job, signal).finally(() => running.delete(work));
      running.add(work);
    }
    this.#stopTimers();
    await stopListening();
    await Promise.all(running);
  }

  /** Whether nothing waits and nothing runs. */
  get idle(): boolean {
    return this.#queue.idle;
  }

  /** Looks at the source, and queues the environments whose revision moved. One look at a time. */
  look(trigger: Trigger): Promise<void> {
    this.#looking = this.#looking.then(() => this.#look(trigger));
    return this.#looking;
  }

  async #look(trigger: Trigger): Promise<void> {
    const { environments, source, onProblem } = this.#options;
    const found = await environments.discover();
    for (const problem of found.problems) onProblem(problem);
    await this.#bind(found);
    const branches = await source.branches();
    if (!branches.ok) return onProblem(branches.problem);
    const heads = new Map(branches.value.map(({ name, commit }) => [name, commit]));
    for (const { name, branch } of this.#bound.values()) {
      const head = this.#options.worktree ? branches.value[0]?.commit : heads.get(branch);
      if (head === undefined || (head === this.#heads.get(name) && trigger !== 'start')) continue;
      this.#heads.set(name, head);
      this.#enqueue({ environment: name, sort: 'full', trigger, mode: 'apply' });
    }
  }

  /** Takes the environments that exist now; one whose branch is gone ends, and what it applied stays on the hosts. */
  async #bind(found: Discovery): Promise<void> {
    const { only, services, runs, schedules } = this.#options;
    const wanted = found.environments.filter(({ name }) => only.length === 0 || only.includes(name));
    const names = new Set(wanted.map(({ name }) => name));
    for (const name of this.#bound.keys()) {
      if (names.has(name) || !found.fresh) continue;
      this.#bound.delete(name);
      this.#heads.delete(name);
      this.#queue.drop(name);
      runs.forget(name);
      const record = await services.store.environments.get(name);
      if (record !== undefined)
        await services.store.environments.put({
          ...record,
          endedAt: new Date(services.clock.now()).toISOString(),
        });
    }
    for (const environment of wanted) this.#bound.set(environment.name, environment);
    if (schedules) this.#drift.set([...this.#bound.values()]);
  }

  #enqueue(job: Job): void {
    const active = this.#queue.active(job.environment);
    if (active !== undefined && job.sort === 'full') this.#superseding.get(job.environment)?.abort();
    this.#queue.add(job);
  }

  async #take(job: Job, signal: AbortSignal): Promise<void> {
    const environment = this.#bound.get(job.environment);
    if (environment !== undefined) {
      const superseding = new AbortController();
      this.#superseding.set(job.environment, superseding);
      const run = this.#options.runs.make(this.#requestFor(job, environment), {
        signal,
        superseded: superseding.signal,
      });
      const summary = await reconcile(run);
      this.#options.onRun(job.environment, summary);
      if (!signal.aborted) await this.#scheduleRetry(job.environment);
    }
    this.#queue.done(job.environment);
  }

  #requestFor(job: Job, environment: Environment): RunRequest {
    const { trigger, mode, onlyHosts } = job;
    return {
      ...this.#options.request,
      environment,
      trigger,
      mode,
      onlyHosts,
      offline: false,
      records: true,
      force: false,
    };
  }

  /** Hosts that were off, or whose try may pass next time, are tried again without anybody asking. */
  async #scheduleRetry(name: string): Promise<void> {
    const { services, random } = this.#options;
    clearTimeout(this.#retries.get(name));
    const failed = await services.store.ledger.failed(name);
    const due = failed.flatMap((attempt) => {
      const at = nextTry(attempt, random());
      return at === undefined ? [] : [{ host: attempt.host, at }];
    });
    if (due.length === 0) return;
    const first = Math.min(...due.map(({ at }) => at));
    const onlyHosts = new Set(due.filter(({ at }) => at <= first + 1000).map(({ host }) => host));
    const wait = Math.max(100, first - services.clock.now());
    const job: Job = { environment: name, sort: 'retry', trigger: 'retry', mode: 'apply', onlyHosts };
    this.#retries.set(
      name,
      setTimeout(() => this.#enqueue(job), wait),
    );
  }

  #driftDue(environment: Environment): void {
    const mode = environment.drift.mode === 'correct' ? 'drift-correct' : 'drift-report';
    if (this.#queue.active(environment.name) !== undefined) return;
    this.#enqueue({ environment: environment.name, sort: 'drift', trigger: 'drift', mode });
  }

  #schedulePoll(signal: AbortSignal): void {
    const { schedules, random, source } = this.#options;
    const periods = [...this.#bound.values()]
      .map(({ pollSeconds }) => pollSeconds)
      .filter((seconds) => seconds > 0);
    if (!schedules || signal.aborted) return;
    const seconds = periods.length === 0 ? 60 : Math.min(...periods);
    this.#poll = setTimeout(
      async () => {
        const refreshed = await source.refresh();
        if (!refreshed.ok) this.#options.onProblem(refreshed.problem);
        else await this.look('commit');
        this.#schedulePoll(signal);
      },
      seconds * 1000 * (0.9 + 0.2 * random()),
    );
  }

  #stopTimers(): void {
    clearTimeout(this.#poll);
    for (const timer of this.#retries.values()) clearTimeout(timer);
    this.#drift.stop();
  }
}
