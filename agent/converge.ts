/**
 * One plan on this host: every resource in order, then the handlers that are due.
 * Invariant: resources run one after the other; after a failure nothing more is applied but handlers already notified run;
 * a stop is honoured at the next resource boundary, never inside one.
 * Never throws; never acts in check mode.
 */

import { Handlers } from './handlers.ts';
import type { Interrupted, JournalRecord } from './journal.ts';
import type { AgentEvent, ConvergeMode, ConvergeResult } from './protocol/message.ts';
import { countOutcomes, type ResourceReport } from './protocol/outcome.ts';
import type { PlannedResource, RolePlan } from './protocol/plan.ts';
import type { Problem } from './protocol/problem.ts';
import { agentProblem } from './protocol/problem-codes.ts';
import { resources } from './resources/index.ts';
import { Results } from './results.ts';
import {
  concludeActed,
  type Finished,
  failed,
  isProbe,
  lookAt,
  problemOf,
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
  readonly drift: boolean;
  /** Absent in check mode. */
  readonly journal?: JournalRecord | undefined;
  readonly interrupted?: Interrupted | undefined;
  /** Aborted with a Problem as its reason: stop at the next boundary. */
  readonly stop: AbortSignal;
  readonly emit: (event: AgentEvent) => void;
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
    for (const handler of this.#handlers.take()) {
      if (this.#stopped()) return;
      for (const resource of handler.resources) {
        this.#options.emit({ event: 'started', resource: resource.id, handler: handler.name });
        const finished = await runResource(resource, this.#workplace());
        const isFailed = await this.#take(resource, finished, handler.name);
        if (isFailed) break;
      }
    }
  }

  result(milliseconds: number): ConvergeResult {
    const { key, digest, run, mode } = this.#options;
    const ok =
      this.#problem === undefined &&
      !this.#reports.some((report) => report.outcome === 'failed' && report.ignored !== true);
    return {
      key,
      digest,
      run,
      mode,
      complete: this.#problem === undefined,
      ok,
      outcomes: countOutcomes(this.#reports),
      reports: this.#reports,
      ...(this.#problem !== undefined && { problem: this.#problem }),
      milliseconds: Math.round(milliseconds),
    };
  }

  async #runOne(resource: PlannedResource): Promise<void> {
    const skip = this.#skipReason(resource);
    if (skip !== undefined) return this.#skip(resource, skip);
    if (this.#stopped()) return;
    this.#options.emit({ event: 'started', resource: resource.id });
    await this.#take(resource, await runResource(resource, this.#workplace()));
  }

  /** Looks at each, then applies all that need it in one transaction, then looks again at each. */
  async #runTogether(group: readonly PlannedResource[]): Promise<void> {
    const place = this.#workplace();
    const startedAt = place.now();
    const due: { resource: PlannedResource; changes: Finished['report']['changes'] }[] = [];
    for (const resource of group) {
      const skip = this.#skipReason(resource);
      if (skip !== undefined) await this.#skip(resource, skip);
      else {
        const looked = await lookAt(resource, place, startedAt).catch((error: unknown) => ({
          finished: failed(resource, place, { problem: problemOf(error, resource), startedAt }),
        }));
        if ('finished' in looked) await this.#take(resource, looked.finished);
        else due.push({ resource, changes: [...looked.changes] });
      }
    }
    if (due.length > 0 && this.#mayRun()) await this.#applyTogether(due, place, startedAt);
  }

  async #applyTogether(
    due: readonly { readonly resource: PlannedResource; readonly changes: Finished['report']['changes'] }[],
    place: Workplace,
    startedAt: number,
  ): Promise<void> {
    const first = (due[0] as (typeof due)[number]).resource;
    const signal = new AbortController().signal;
    let problem: Problem | undefined;
    for (const { resource } of due) {
      this.#options.emit({ event: 'started', resource: resource.id });
      await place.acting(resource);
    }
    try {
      const kind = resources[first.kind] as Required<Pick<(typeof resources)['package'], 'applyTogether'>>;
      const items = due.map(({ resource, changes }) => ({ wanted: resource.wanted as never, changes }));
      await kind.applyTogether(place.system(first.id, signal), items);
    } catch (error) {
      problem = problemOf(error, first);
    }
    for (const { resource, changes } of due) {
      const finished =
        problem === undefined
          ? await concludeActed(resource, place, { changes, startedAt }).catch((error: unknown) =>
              failed(resource, place, { problem: problemOf(error, resource), startedAt, changes }),
            )
          : failed(resource, place, { problem, startedAt, changes });
      await this.#take(resource, finished);
    }
  }

  /** Books a finished resource; true when the role cannot go on past it. */
  async #take(resource: PlannedResource, finished: Finished, handler?: string): Promise<boolean> {
    const report = handler === undefined ? finished.report : { ...finished.report, handler };
    const { outcome } = report;
    this.#reports.push(report);
    this.#options.emit({ event: 'finished', report });
    if (resource.meta.register !== undefined)
      this.#results.register(resource.meta.register, finished.registered);
    if (outcome === 'changed' || outcome === 'unknown') this.#handlers.notify(resource.meta.notify ?? []);
    if (this.#options.mode === 'check' && (outcome === 'changed' || outcome === 'unknown'))
      this.#pending.push(resource);
    if (outcome === 'failed') this.#unsettled.add(resource.id);
    if (outcome === 'changed') await this.#journal(resource, report, finished);
    const breaks = outcome === 'failed' && report.ignored !== true;
    if (breaks) this.#broken = true;
    return breaks;
  }

  async #journal(resource: PlannedResource, report: ResourceReport, finished: Finished): Promise<void> {
    const registered = resource.meta.sensitive === true ? undefined : finished.registered;
    await this.#options.journal?.done(report, registered);
  }

  async #skip(resource: PlannedResource, reason: string): Promise<void> {
    const report: ResourceReport = {
      resource: resource.id,
      outcome: 'skipped',
      changes: [],
      milliseconds: 0,
      reason,
    };
    const earlier = this.#options.interrupted?.done.get(resource.id);
    const registered = earlier?.registered ?? { changed: false, failed: false, skipped: true };
    await this.#take(resource, { report, registered });
  }

  #skipReason(resource: PlannedResource): string | undefined {
    const { tags = [], requires = [] } = resource.meta;
    const { tags: wanted, skipTags = [], interrupted, drift } = this.#options;
    if (wanted !== undefined && !tags.some((tag) => wanted.includes(tag)))
      return 'its tags are not asked for';
    if (tags.some((tag) => skipTags.includes(tag))) return 'its tags are to be skipped';
    if (this.#broken) return 'an earlier resource failed';
    const missing = requires.find((id) => this.#unsettled.has(id));
    if (missing !== undefined) return `${missing}, which it requires, failed`;
    if (drift && isOneShot(resource) && !isProbe(resource)) return 'it was run when this plan was applied';
    if (isOneShot(resource) && interrupted?.done.has(resource.id) === true)
      return `done already by the interrupted run ${interrupted.run}`;
    return undefined;
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
    const { mode, stop, reader, system, now, emit, journal } = this.#options;
    return {
      mode,
      results: this.#results,
      pending: this.#pending,
      stop,
      reader,
      system,
      now,
      acting: async (resource) => {
        const { notify = [] } = resource.meta;
        if (notify.length > 0) await journal?.owes(notify);
      },
      retrying: (resource, attempt, problem) => emit({ event: 'retrying', resource, attempt, problem }),
    };
  }
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
  while (end < list.length && list[end]?.kind === first.kind && isPlain(list[end] as PlannedResource))
    end += 1;
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
