/**
 * One plan on this host: every resource in order, then the handlers that are due.
 * Invariant: resources run one after the other; after a failure nothing more is applied but handlers already notified run;
 * a stop is honoured at the next resource boundary, never inside one.
 * Never throws; never acts in check mode.
 */

import { Handlers } from './handlers.ts';
import type { Interrupted, JournalRecord } from './journal.ts';
import type { Change } from './protocol/change.ts';
import type { AgentEvent, ConvergeMode, ConvergeResult } from './protocol/message.ts';
import { countOutcomes, type ResourceReport } from './protocol/outcome.ts';
import type { PlannedHandler, PlannedResource, RolePlan } from './protocol/plan.ts';
import type { Problem } from './protocol/problem.ts';
import { agentProblem, thrownProblem } from './protocol/problem-codes.ts';
import { resources } from './resources/index.ts';
import { Results } from './results.ts';
import {
  type Attempt,
  concludeActed,
  type Finished,
  failed,
  hasGuard,
  isProbe,
  lookAt,
  runResource,
  type Workplace,
} from './run-resource.ts';
import type { System, SystemReader } from './system/system.ts';

export interface ConvergeOptions {
  readonly run: string;
  readonly key: string;
  readonly digest: string;
  readonly mode: ConvergeMode;
  readonly tags?: readonly string[] | undefined;
  readonly skipTags?: readonly string[] | undefined;
  /** The plan was applied before: what differs is drift, and one-shot commands are not repeated. */
  readonly drift?: boolean | undefined;
  /** Absent in check mode. */
  readonly journal?: JournalRecord | undefined;
  readonly interrupted?: Interrupted | undefined;
  /** Aborted with a Problem as its reason: stop at the next boundary. */
  readonly stop: AbortSignal;
  readonly emit: (event: AgentEvent) => void;
  /** Settles when the contents of a resource that are on their way are here. */
  readonly arrival: (resource: PlannedResource) => Promise<void>;
  readonly reader: (resource: string, signal: AbortSignal) => SystemReader;
  readonly system: (resource: string, signal: AbortSignal) => System;
  readonly now: () => number;
}

/** Converges the host to a plan and tells how every resource ended. */
export async function converge(plan: RolePlan, options: ConvergeOptions): Promise<ConvergeResult> {
  const startedAt = options.now();
  const work = new Convergence(plan, options);
  await work.runResources();
  await work.runHandlers();
  return work.result(options.now() - startedAt);
}

/** The answer to a call, from its reports and why it stopped early. */
export function resultOf(
  { key, digest, run, mode }: Pick<ConvergeResult, 'key' | 'digest' | 'run' | 'mode'>,
  { reports, problem, milliseconds }: Pick<ConvergeResult, 'reports' | 'problem' | 'milliseconds'>,
): ConvergeResult {
  const complete = !problem;
  return {
    key,
    digest,
    run,
    mode,
    complete,
    ok: complete && !reports.some((report) => report.outcome === 'failed' && !report.ignored),
    outcomes: countOutcomes(reports),
    reports,
    problem,
    milliseconds: Math.round(milliseconds),
  };
}

/** A resource and the changes its first look announced. */
interface Due {
  readonly resource: PlannedResource;
  readonly changes: readonly Change[];
}

class Convergence {
  readonly #plan: RolePlan;
  readonly #options: ConvergeOptions;
  readonly #results = new Results();
  readonly #reports: ResourceReport[] = [];
  readonly #pending: PlannedResource[] = [];
  readonly #unsettled = new Set<string>();
  readonly #handlers: Handlers;
  #broken = false;
  #problem: Problem | undefined;

  constructor(plan: RolePlan, options: ConvergeOptions) {
    this.#plan = plan;
    this.#options = options;
    this.#handlers = new Handlers(plan.handlers, options.interrupted?.owes ?? []);
  }

  async runResources(): Promise<void> {
    const list = this.#plan.resources;
    for (let index = 0; index < list.length; ) {
      const group = neighbours(list, index, this.#options.mode);
      if (group.length > 1 && this.#mayRun()) await this.#runTogether(group);
      else for (const resource of group) await this.#runOne(resource);
      index += group.length;
    }
  }

  async runHandlers(): Promise<void> {
    for (const { handler, isSure } of this.#handlers.take()) {
      await Promise.all(handler.resources.map(this.#options.arrival));
      if (this.#stopped()) return;
      if (await this.#runHandler(handler, isSure)) this.#options.journal?.settled(handler.name);
    }
  }

  result(milliseconds: number): ConvergeResult {
    return resultOf(this.#options, { reports: this.#reports, problem: this.#problem, milliseconds });
  }

  async #runOne(resource: PlannedResource): Promise<void> {
    const skip = this.#skipReason(resource);
    if (skip !== undefined) return this.#skip(resource, skip);
    await this.#options.arrival(resource);
    if (this.#stopped()) return;
    this.#start(resource);
    await this.#take(resource, await runResource(resource, this.#workplace()));
  }

  /** True when every resource of it ended well. */
  async #runHandler(handler: PlannedHandler, isSure: boolean): Promise<boolean> {
    for (const resource of handler.resources) {
      this.#start(resource, handler.name);
      const finished = isSure
        ? await runResource(resource, this.#workplace())
        : unmade(resource, 'unknown', 'whether anything notifies it is not known yet');
      if (await this.#take(resource, finished, handler.name)) return false;
    }
    return true;
  }

  /** Looks at each, then applies all that need it in one transaction, then looks again at each. */
  async #runTogether(group: readonly PlannedResource[]): Promise<void> {
    const place = this.#workplace();
    const attempt = { startedAt: place.now(), signal: new AbortController().signal };
    const due: Due[] = [];
    for (const resource of group) {
      const skip = this.#skipReason(resource);
      if (skip !== undefined) {
        await this.#skip(resource, skip);
        continue;
      }
      const looked = await lookAt(resource, place, attempt).catch((error: unknown) => ({
        finished: failed(resource, place, { ...attempt, problem: thrownProblem(error) }),
      }));
      if ('changes' in looked) {
        due.push({ resource, changes: looked.changes });
        continue;
      }
      // What stands before a failure is still applied, as it is one by one.
      if (looked.finished.report.outcome === 'failed')
        await this.#applyTogether(due.splice(0), place, attempt);
      await this.#take(resource, looked.finished);
    }
    await this.#applyTogether(due, place, attempt);
  }

  async #applyTogether(due: readonly Due[], place: Workplace, attempt: Attempt): Promise<void> {
    const first = due[0]?.resource;
    if (!first || !this.#mayRun()) return;
    let problem: Problem | undefined;
    for (const { resource } of due) {
      this.#start(resource);
      place.acting(resource);
    }
    try {
      const kind = resources[first.kind] as Required<Pick<(typeof resources)['package'], 'applyTogether'>>;
      const items = due.map(({ resource, changes }) => ({ wanted: resource.wanted as never, changes }));
      await kind.applyTogether(place.system(first.id, attempt.signal), items);
    } catch (error) {
      problem = thrownProblem(error);
    }
    for (const { resource, changes } of due) {
      const fail = (why: Problem) => failed(resource, place, { ...attempt, problem: why, changes });
      const finished = problem
        ? fail(problem)
        : await concludeActed(resource, place, { ...attempt, changes }).catch((error: unknown) =>
            fail(thrownProblem(error)),
          );
      await this.#take(resource, finished);
    }
  }

  #start({ id }: PlannedResource, handler?: string): void {
    this.#options.emit({ event: 'started', resource: id, handler });
  }

  /** Books a finished resource; true when the role cannot go on past it. */
  async #take(resource: PlannedResource, finished: Finished, handler?: string): Promise<boolean> {
    const report = { ...finished.report, handler };
    const { outcome } = report;
    this.#reports.push(report);
    this.#options.emit({ event: 'finished', report });
    if (resource.meta.register !== undefined)
      this.#results.register(resource.meta.register, finished.registered);
    if (outcome === 'changed' || outcome === 'unknown') {
      this.#handlers.notify(resource.meta.notify ?? [], outcome === 'changed');
      if (this.#options.mode === 'check') this.#pending.push(resource);
    }
    if (outcome === 'failed') this.#unsettled.add(resource.id);
    if (outcome === 'changed') this.#journal(resource, report, finished);
    const breaks = outcome === 'failed' && !report.ignored;
    if (breaks) this.#broken = true;
    return breaks;
  }

  #journal(resource: PlannedResource, report: ResourceReport, finished: Finished): void {
    const { register, sensitive } = resource.meta;
    const isKept = register !== undefined && !sensitive;
    this.#options.journal?.done(report, isKept ? finished.registered : undefined);
  }

  async #skip(resource: PlannedResource, reason: string): Promise<void> {
    if (this.#lacks(resource) !== undefined) this.#unsettled.add(resource.id);
    const earlier = this.#options.interrupted?.done.get(resource.id);
    const registered = earlier?.registered ?? { changed: false, failed: false, skipped: true };
    await this.#take(resource, { ...unmade(resource, 'skipped', reason), registered });
  }

  /** What a resource requires that failed, or was itself skipped for such a lack. */
  #lacks({ meta }: PlannedResource): string | undefined {
    return meta.requires?.find((id) => this.#unsettled.has(id));
  }

  #skipReason(resource: PlannedResource): string | undefined {
    const { tags = [] } = resource.meta;
    const { tags: wanted, skipTags = [], interrupted, drift } = this.#options;
    if (wanted && !tags.some((tag) => wanted.includes(tag))) return 'its tags are not asked for';
    if (tags.some((tag) => skipTags.includes(tag))) return 'its tags are to be skipped';
    if (this.#broken) return 'an earlier resource failed';
    const missing = this.#lacks(resource);
    if (missing !== undefined) return `${missing}, which it requires, failed`;
    if (drift && isOneShot(resource) && !this.#mayAsk(resource))
      return 'it was run when this plan was applied';
    if (isOneShot(resource) && interrupted?.done.has(resource.id))
      return `done already by the interrupted run ${interrupted.run}`;
    return undefined;
  }

  /** A command that changes nothing, or whose guards tell whether it is due; a dry run asks no guards. */
  #mayAsk(resource: PlannedResource): boolean {
    return isProbe(resource) || (this.#options.mode === 'apply' && hasGuard(resource));
  }

  #mayRun(): boolean {
    return !this.#broken && !this.#stopped();
  }

  #stopped(): boolean {
    const { stop } = this.#options;
    if (!stop.aborted) return false;
    this.#problem ??=
      (stop.reason as Problem | undefined) ?? agentProblem('agent.cancelled', 'the run was cancelled');
    return true;
  }

  #workplace(): Workplace {
    const { emit, journal } = this.#options;
    return {
      ...this.#options,
      results: this.#results,
      pending: this.#pending,
      acting: ({ meta: { notify = [] } }) => {
        if (notify.length > 0) journal?.owes(notify);
      },
      retrying: (resource, attempt, problem) => emit({ event: 'retrying', resource, attempt, problem }),
    };
  }
}

/** The end of a resource that was not looked at; `registered` is not known. */
function unmade({ id }: PlannedResource, outcome: 'skipped' | 'unknown', reason: string): Finished {
  return {
    report: { resource: id, outcome, changes: [], milliseconds: 0, reason },
    registered: undefined,
  };
}

/** The resource at `index` with the following ones that can be applied in one transaction with it. */
function neighbours(
  list: readonly PlannedResource[],
  index: number,
  mode: ConvergeMode,
): readonly PlannedResource[] {
  const first = list[index] as PlannedResource;
  if (mode === 'check' || resources[first.kind].applyTogether === undefined || !isPlain(first))
    return [first];
  let end = index + 1;
  while (list[end]?.kind === first.kind && isPlain(list[end] as PlannedResource)) end += 1;
  return list.slice(index, end);
}

/** Without meta parameters that give a resource a course of its own. */
function isPlain({ meta }: PlannedResource): boolean {
  return [meta.when, meta.retries, meta.timeout, meta.changedWhen, meta.failedWhen, meta.requires].every(
    (each) => each === undefined,
  );
}

/** Commands that a second look cannot recognise as done. */
function isOneShot(resource: PlannedResource): boolean {
  if (resource.kind !== 'command') return false;
  return resource.wanted.creates === undefined && resource.wanted.removes === undefined;
}
