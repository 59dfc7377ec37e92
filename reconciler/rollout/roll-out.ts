/**
 * Affected pairs to hosts: role after role, wave after wave, hosts of a wave freely.
 * Invariant: the next wave starts when this one is done and within the failure budget; a host that failed a role gets no later
 * role in this run; an unreachable host stops nobody.
 * Never throws; what was not started is reported as waiting.
 */

import { setTimeout } from 'node:timers/promises';
import { type Problem, placed } from '../../agent/protocol/problem.ts';
import { stopwatch } from '../base/clock.ts';
import { limited } from '../base/limited.ts';
import { planProblem } from '../base/problem-codes/plan.ts';
import type { RoleDefinition } from '../policy/model.ts';
import { type HostEnd, type HostTask, type HostTools, runHost } from './run-host.ts';
import { spreadDelay } from './spread.ts';
import { failureBudget, splitWaves } from './waves.ts';

export interface PairEnd {
  readonly host: string;
  readonly role: string;
  readonly end: HostEnd;
}

export interface RolloutResult {
  readonly ends: readonly PairEnd[];
  /** Why not everything was started. */
  readonly problem?: Problem | undefined;
}

/** Rolls tasks out. `roles` gives order, waves and budget; every task's role is among them. */
export async function rollOut(
  roles: readonly RoleDefinition[],
  tasks: readonly HostTask[],
  options: { readonly tools: HostTools; readonly parallel: number },
): Promise<RolloutResult> {
  const rollout = new Rollout(options.tools, options.parallel);
  for (const role of roles) {
    const mine = tasks.filter((task) => task.desired.role === role.name);
    if (mine.length > 0) await rollout.runRole(role, mine);
  }
  return rollout.result();
}

class Rollout {
  readonly #tools: HostTools;
  readonly #parallel: number;
  readonly #elapsed = stopwatch();
  readonly #ends: PairEnd[] = [];
  readonly #out = new Map<string, Problem>();
  /** Said only when something is left that does not start because of it. */
  #spent: Problem | undefined;
  #problem: Problem | undefined;

  constructor(tools: HostTools, parallel: number) {
    this.#tools = tools;
    this.#parallel = parallel;
  }

  async runRole(role: RoleDefinition, tasks: readonly HostTask[]): Promise<void> {
    const looksOnly = this.#tools.mode === 'check';
    const ready = tasks.filter((task) => !this.#isOut(task));
    const waves = splitWaves(ready, looksOnly ? [] : role.serial);
    const budget = failureBudget(role.maxFailures, tasks.length);
    let failures = 0;
    for (const [index, wave] of waves.entries()) {
      if (this.#stopped()) {
        for (const task of wave) this.#wait(task, this.#problem as Problem);
        continue;
      }
      const hosts = wave.map((task) => task.desired.host);
      this.#tools.emit({
        type: 'role-started',
        role: role.name,
        hosts,
        wave: index + 1,
        waves: waves.length,
      });
      failures += await this.#runWave(wave);
      if (!looksOnly && failures > budget) this.#spend(role, failures, budget);
    }
  }

  result(): RolloutResult {
    return { ends: this.#ends, problem: this.#problem };
  }

  /** Runs a wave; the number of hosts that failed. */
  async #runWave(wave: readonly HostTask[]): Promise<number> {
    let failures = 0;
    const { signal, superseded, drift } = this.#tools;
    const noMore = drift ? AbortSignal.any([signal, superseded]) : signal;
    const ordered = this.#spread(wave);
    const ends = await limited(ordered, { most: this.#parallel, signal: noMore }, (task) =>
      this.#runHost(task, noMore),
    );
    const isCut = (end: HostEnd | undefined): boolean =>
      end === undefined ||
      (signal.aborted && end.kind !== 'done') ||
      (end.kind === 'waiting' && end.problem.code === 'rollout.superseded');
    if (ends.some(isCut)) this.#stopped();
    for (const [index, end] of ends.entries()) {
      const task = ordered[index] as HostTask;
      if (end === undefined)
        this.#wait(task, planProblem('rollout.cancelled', 'the run was stopped before this host'));
      else this.#take(task, end);
      if (end?.kind === 'failed') failures += 1;
    }
    return failures;
  }

  /** In a drift run hosts begin in the order of their turns. */
  #spread(wave: readonly HostTask[]): readonly HostTask[] {
    const turn = ({ desired }: HostTask): number => spreadDelay(desired.host, this.#tools.spreadSeconds);
    return this.#tools.spreadSeconds > 0 ? wave.toSorted((a, b) => turn(a) - turn(b)) : wave;
  }

  /** A host whose turn had not come when the run was stopped was not started. */
  async #runHost(task: HostTask, noMore: AbortSignal): Promise<HostEnd | undefined> {
    const wait = spreadDelay(task.desired.host, this.#tools.spreadSeconds) - this.#elapsed();
    if (wait > 0) await setTimeout(wait, undefined, { signal: noMore }).catch(() => {});
    return noMore.aborted ? undefined : runHost(task, this.#tools);
  }

  #take(task: HostTask, end: HostEnd): void {
    const { host, role } = task.desired;
    this.#ends.push({ host, role, end });
    if (end.kind !== 'done') this.#out.set(host, end.problem);
  }

  #wait(task: HostTask, problem: Problem): void {
    const { host, role } = task.desired;
    this.#ends.push({ host, role, end: { kind: 'waiting', problem: placed(problem, { host, role }) } });
  }

  /** In a dry run later roles are looked at all the same. */
  #isOut(task: HostTask): boolean {
    const cause = this.#out.get(task.desired.host);
    if (cause === undefined || (this.#tools.mode === 'check' && cause.disposition !== 'retry')) return false;
    this.#wait(
      task,
      planProblem('rollout.host-not-clean', `${task.desired.host} did not finish an earlier role`, { cause }),
    );
    return true;
  }

  #stopped(): boolean {
    const { signal, superseded } = this.#tools;
    if (signal.aborted) this.#problem ??= planProblem('rollout.cancelled', 'the run was stopped');
    this.#problem ??= this.#spent;
    if (superseded.aborted) this.#problem ??= planProblem('rollout.superseded', 'something newer is waiting');
    return this.#problem !== undefined;
  }

  #spend(role: RoleDefinition, failures: number, budget: number): void {
    const hosts = failures === 1 ? '1 host' : `${failures} hosts`;
    const message = `role ${role.name} failed on ${hosts}; its budget is ${budget}`;
    this.#spent ??= planProblem('rollout.budget-spent', message, { where: { role: role.name } });
  }
}
