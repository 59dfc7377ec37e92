/**
 * THE LOOP: for ever, take the next environment due, reconcile it, decide when again.
 * Invariant: one run per environment at a time; a newer revision supersedes; a failing environment never stops another.
 * Never touches a host or a repository itself.
 */

import type { Problem } from '../agent/protocol/problem.ts';
import { timestamp } from './base/clock.ts';
import type { RunSummary, Trigger } from './base/event.ts';
import { planProblem } from './base/problem-codes/plan.ts';
import { thrownProblem } from './base/thrown.ts';
import { DriftSchedule } from './drift-schedule.ts';
import type { Discovery, Environments } from './environments.ts';
import type { Environment } from './policy/environment.ts';
import { type Poller, startPolling } from './poll.ts';
import { type Job, JobQueue } from './queue.ts';
import { reconcile } from './reconcile.ts';
import { Rehearsal } from './rehearsal.ts';
import { RetryTimers } from './retry-timers.ts';
import type { RunFactory } from './run-factory.ts';
import type { PolicySource } from './source/policy-source.ts';
import { declarationOf } from './steps/load-policy.ts';
import type { Run, RunRequest, Services } from './steps/run.ts';

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
  /** Told whenever nothing waits and nothing runs, the first look included. */
  readonly onIdle?: (() => void) | undefined;
}

/** Between polls while no environment is known that says otherwise. */
const usualPollSeconds = 60;

export class Controller {
  readonly #options: ControllerOptions;
  readonly #queue = new JobQueue();
  readonly #bound = new Map<string, Environment>();
  readonly #heads = new Map<string, string>();
  readonly #superseding = new Map<string, AbortController>();
  readonly #retries: RetryTimers;
  readonly #drift: DriftSchedule;
  readonly #rehearsal: Rehearsal;
  /** Environments whose last full run stopped at its failure budget. */
  readonly #held = new Set<string>();
  #said = '';
  #looking: Promise<void> = Promise.resolve();

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#rehearsal = new Rehearsal(options.runs);
    this.#drift = new DriftSchedule((environment) => this.#driftDue(environment));
    this.#retries = new RetryTimers((environment, onlyHosts) =>
      this.#enqueue({ environment, sort: 'retry', trigger: 'retry', mode: 'apply', onlyHosts }),
    );
  }

  /** Runs until aborted; resolves when the last run has ended. */
  async run(signal: AbortSignal): Promise<void> {
    const { source, worktree } = this.#options;
    const stopListening = await source.onChange((change) => {
      if (change.type === 'problem') this.#options.onProblem(change.problem);
      else void this.look(worktree ? 'edit' : 'commit');
    });
    source.onForming?.((snapshot) => this.#rehearsal.begin(this.#edits(), snapshot));
    await this.look('start');
    const poller = this.#options.schedules ? this.#startPolling() : undefined;
    this.#tellIdle();
    const running = new Set<Promise<void>>();
    for (let job = await this.#queue.next(signal); job !== undefined; job = await this.#queue.next(signal)) {
      const work: Promise<void> = this.#work(job, signal).finally(() => running.delete(work));
      running.add(work);
    }
    this.#retries.stop();
    this.#drift.stop();
    await Promise.all([poller?.close(), stopListening()]);
    await Promise.all(running);
  }

  /** Whether nothing waits and nothing runs. */
  get idle(): boolean {
    return this.#queue.idle;
  }

  /** Looks at the source, and queues the environments whose revision moved. One look at a time. */
  look(trigger: Trigger): Promise<void> {
    this.#looking = this.#looking.then(() =>
      this.#guarded('looking at the source', () => this.#look(trigger)),
    );
    return this.#looking;
  }

  /** What throws here is told, and the loop goes on. */
  async #guarded(doing: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#options.onProblem(thrownProblem(error, doing));
    }
  }

  #tellIdle(): void {
    if (this.idle) this.#options.onIdle?.();
  }

  async #look(trigger: Trigger): Promise<void> {
    const { environments, source, onProblem } = this.#options;
    const found = await environments.discover();
    this.#sayOnce([...found.problems, ...this.#unknown(found)]);
    await this.#bind(found);
    const branches = await source.branches();
    if (!branches.ok) return onProblem(branches.problem);
    const heads = new Map(branches.value.map(({ name, commit }) => [name, commit]));
    for (const environment of this.#bound.values()) {
      const { name, branch } = environment;
      const head = this.#options.worktree ? branches.value[0]?.commit : heads.get(branch);
      if (head === undefined) continue;
      const wanted = `${head} ${declarationOf(environment)}`;
      if (wanted === this.#heads.get(name) && trigger !== 'start') continue;
      this.#heads.set(name, wanted);
      this.#enqueue({ environment: name, sort: 'full', trigger, mode: 'apply' });
    }
  }

  /** Environments asked for by name that are not there; they may come with a branch. */
  #unknown({ environments, fresh }: Discovery): Problem[] {
    const names = environments.map(({ name }) => name);
    const unknown = fresh ? this.#options.only.filter((name) => !names.includes(name)) : [];
    const known = names.join(', ') || 'none';
    return unknown.map((name) =>
      planProblem('plan.unknown-environment', `there is no environment ${name}; there are: ${known}`),
    );
  }

  /** A broken towline.toml is met at every look; it is told when it is new. */
  #sayOnce(problems: readonly Problem[]): void {
    const text = JSON.stringify(problems.map(({ code, message }) => [code, message]));
    if (text === this.#said) return;
    this.#said = text;
    for (const problem of problems) this.#options.onProblem(problem);
  }

  /** Takes the environments that exist now; one whose branch is gone ends, and what it applied stays on the hosts. */
  async #bind(found: Discovery): Promise<void> {
    const { only, schedules } = this.#options;
    const wanted = found.environments.filter(({ name }) => only.length === 0 || only.includes(name));
    const names = new Set(wanted.map(({ name }) => name));
    if (found.fresh) {
      for (const name of this.#bound.keys()) if (!names.has(name)) this.#end(name);
    }
    for (const environment of wanted) this.#bound.set(environment.name, environment);
    if (found.fresh) {
      this.#options.services.claims.retain(new Set(found.environments.map(({ name }) => name)));
      await this.#recordEnds();
    }
    this.#runFreed();
    if (schedules) this.#drift.set([...this.#bound.values()]);
  }

  #end(name: string): void {
    this.#bound.delete(name);
    this.#heads.delete(name);
    this.#held.delete(name);
    this.#queue.drop(name);
    this.#retries.end(name);
    this.#superseding.get(name)?.abort();
    if (this.#queue.active(name) === undefined) this.#options.runs.forget(name);
  }

  /** Also those whose branch went while no reconciler ran, and those whose last run had still to end. */
  async #recordEnds(): Promise<void> {
    const { services, only, worktree } = this.#options;
    if (worktree) return;
    for (const record of await services.store.environments.all()) {
      const { name, endedAt } = record;
      if (endedAt !== undefined || this.#bound.has(name) || (only.length > 0 && !only.includes(name)))
        continue;
      await services.store.environments.put({ ...record, endedAt: timestamp(services.clock) });
    }
  }

  #enqueue(job: Job): void {
    const active = this.#queue.active(job.environment);
    if (active !== undefined && job.sort === 'full') this.#superseding.get(job.environment)?.abort();
    this.#queue.add(job);
  }

  async #work(job: Job, signal: AbortSignal): Promise<void> {
    await this.#guarded(`working on ${job.environment}`, () => this.#take(job, signal));
    this.#queue.done(job.environment);
    this.#tellIdle();
  }

  async #take(job: Job, signal: AbortSignal): Promise<void> {
    const { runs, services, random, onRun } = this.#options;
    const name = job.environment;
    const environment = this.#bound.get(name);
    if (environment === undefined) return;
    const superseding = new AbortController();
    this.#superseding.set(name, superseding);
    await this.#rehearsal.over();
    const run = runs.make(this.#requestFor(job, environment), { signal, superseded: superseding.signal });
    const summary = await reconcile(run);
    this.#superseding.delete(name);
    onRun(name, summary);
    if (signal.aborted) return;
    if (!this.#bound.has(name)) {
      runs.forget(name);
      return this.#recordEnds();
    }
    this.#goOnAfterBudget(job, summary);
    this.#runFreed();
    this.#tryDeferred(name, run);
    const failed = await services.store.ledger.failed(name);
    this.#retries.plan(name, failed, { now: services.clock.now(), random });
  }

  /** Hosts that the run did not wait for: at once, in a run that only they take part in. */
  #tryDeferred(environment: string, { deferred, unreachable }: Run): void {
    const onlyHosts = new Set([...unreachable.keys()].filter((host) => deferred?.has(host)));
    if (onlyHosts.size > 0)
      this.#enqueue({ environment, sort: 'retry', trigger: 'retry', mode: 'apply', onlyHosts });
  }

  /** When the hosts that spent a budget have got well by themselves, the rest of the hosts follow. */
  #goOnAfterBudget({ environment, sort }: Job, { outcome, problem }: RunSummary): void {
    const wasHeld = this.#held.has(environment);
    if (sort === 'full') this.#held.delete(environment);
    if (sort === 'full' && problem?.code === 'rollout.budget-spent') this.#held.add(environment);
    if (sort !== 'retry' || !wasHeld || outcome !== 'done') return;
    this.#enqueue({ environment, sort: 'full', trigger: 'retry', mode: 'apply' });
  }

  /** Environments that were refused a host which somebody has let go of. */
  #runFreed(): void {
    for (const environment of this.#options.services.claims.freed()) {
      if (this.#bound.has(environment))
        this.#enqueue({ environment, sort: 'full', trigger: 'retry', mode: 'apply' });
    }
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
      defersUnreachable: job.sort === 'full',
    };
  }

  /** What a saved file would ask for; environments that are at work come to it in their next run. */
  #edits(): readonly RunRequest[] {
    const idle = [...this.#bound.values()].filter(({ name }) => this.#queue.active(name) === undefined);
    return idle.map((environment) =>
      this.#requestFor(
        { environment: environment.name, sort: 'full', trigger: 'edit', mode: 'apply' },
        environment,
      ),
    );
  }

  #driftDue(environment: Environment): void {
    const mode = environment.drift.mode === 'correct' ? 'drift-correct' : 'drift-report';
    if (this.#queue.active(environment.name)?.sort === 'drift') return;
    this.#enqueue({ environment: environment.name, sort: 'drift', trigger: 'drift', mode });
  }

  #startPolling(): Poller {
    return startPolling({
      seconds: () => this.#pollSeconds(),
      random: this.#options.random,
      poll: () => this.#guarded('polling', () => this.#pollSource()),
    });
  }

  /** The shortest interval that an environment asks for; the usual one while none is known. */
  #pollSeconds(): number {
    const periods = [...this.#bound.values()].map(({ pollSeconds }) => pollSeconds);
    if (periods.length === 0) return usualPollSeconds;
    const asked = periods.filter((seconds) => seconds > 0);
    return asked.length === 0 ? 0 : Math.min(...asked);
  }

  async #pollSource(): Promise<void> {
    const refreshed = await this.#options.source.refresh();
    if (refreshed.ok) await this.look('commit');
    else this.#options.onProblem(refreshed.problem);
  }
}
