/**
 * One resource on one host: condition → guard → check → apply → check again → report.
 * Invariant: a dry run never holds a System; `changed` means the second check was clean; every way out is a report.
 * Never throws: what a kind throws becomes the report's problem.
 */

import { deferred } from './deferred.ts';
import { pause } from './pause.ts';
import { type Change, changeKey } from './protocol/change.ts';
import type { ConvergeMode } from './protocol/message.ts';
import type { Registered, ResourceReport } from './protocol/outcome.ts';
import type { Meta, PlannedResource } from './protocol/plan.ts';
import type { Problem } from './protocol/problem.ts';
import { type AgentProblemCode, agentProblem, refusal, thrownProblem } from './protocol/problem-codes.ts';
import { resources } from './resources/index.ts';
import type { Applied, CheckContext, Resource } from './resources/resource.ts';
import type { Results } from './results.ts';
import type { System, SystemReader } from './system/system.ts';
import { witnessed } from './witness.ts';

/** What running a resource needs from its converge. */
export interface Workplace {
  readonly mode: ConvergeMode;
  readonly results: Results;
  /** Dry run: what would be done before this resource. */
  readonly pending: readonly PlannedResource[];
  /** Ends the wait between retries, never an act. */
  readonly stop: AbortSignal;
  reader(resource: string, signal: AbortSignal): SystemReader;
  system(resource: string, signal: AbortSignal): System;
  /** Told before the first act of a resource. */
  acting(resource: PlannedResource): void;
  retrying(resource: string, attempt: number, problem: Problem): void;
  now(): number;
}

/** A report with what `register` stores; undefined: cannot be known. */
export interface Finished {
  readonly report: ResourceReport;
  readonly registered: Registered | undefined;
}

/** The first look: finished already, or these changes are to be made. */
export type Looked = { readonly finished: Finished } | { readonly changes: readonly Change[] };

type AnyResource = Resource<PlannedResource['kind']>;

/** Runs a resource to its end, with its retries. */
export async function runResource(resource: PlannedResource, place: Workplace): Promise<Finished> {
  const startedAt = place.now();
  const attempts = 1 + (resource.meta.retries ?? 0);
  for (let attempt = 1; ; attempt += 1) {
    const finished = await attemptOnce(resource, place, startedAt);
    const again = finished.report.outcome === 'failed' && attempt < attempts && !place.stop.aborted;
    if (!again) return attempt === 1 ? finished : withAttempts(finished, attempt);
    place.retrying(resource.id, attempt, finished.report.problem as Problem);
    await pause((resource.meta.delay ?? 1) * 1000, place.stop);
  }
}

/** One attempt: when it began, and what ends it early. */
export interface Attempt {
  readonly startedAt: number;
  readonly signal: AbortSignal;
}

/** Condition, guard and first check. */
export async function lookAt(
  resource: PlannedResource,
  place: Workplace,
  { startedAt, signal }: Attempt,
): Promise<Looked> {
  const end = (outcome: ResourceReport['outcome'], reason: string): Looked => ({
    finished: finish(resource, place, { outcome, reason, startedAt }),
  });
  const { when } = resource.meta;
  const wanted = when ? place.results.holds(when) : true;
  if (wanted === false) return end('skipped', 'its condition does not hold');
  if (wanted === 'unknown') return end('unknown', 'its condition depends on something not yet done');
  const kind = kindOf(resource);
  const isDry = place.mode === 'check';
  const passes = isDry || (await kind.guard?.(place.system(resource.id, signal), resource.wanted)) !== false;
  if (!passes) return end('skipped', 'its guard says no');
  const reader = place.reader(resource.id, signal);
  const looked = await kind.check(reader, resource.wanted, contextOf(place));
  if ('unknown' in looked) {
    if (isDry) return end('unknown', looked.unknown);
    throw refusal('resource.failed', looked.unknown);
  }
  if (isDry && isProbe(resource)) return end('skipped', 'a dry run starts no programs');
  const unsure = isDry && looked.length > 0 && hasGuard(resource);
  if (unsure) return end('unknown', 'its guards are programs, which a dry run does not start');
  if (looked.length > 0) return { changes: looked };
  const observed = await kind.observe?.(reader, resource.wanted);
  return { finished: settle(resource, place, { changes: [], startedAt, registered: observed }) };
}

/** A command that only asks: it says of itself that it never changes anything. */
export function isProbe(resource: PlannedResource): boolean {
  const { changedWhen } = resource.meta;
  return resource.kind === 'command' && changedWhen?.op === 'value' && changedWhen.value === false;
}

/** The second look at a resource that was acted on, and its report. */
export async function concludeActed(
  resource: PlannedResource,
  place: Workplace,
  acted: Attempt & { readonly changes: readonly Change[]; readonly applied?: Applied },
): Promise<Finished> {
  const kind = kindOf(resource);
  const reader = place.reader(resource.id, acted.signal);
  const again = await (kind.verify ?? kind.check)(reader, resource.wanted, contextOf(place));
  const left = 'unknown' in again ? again.unknown : listed(again);
  if (left !== '' && !acted.applied?.failure) {
    throw refusal('resource.not-converged', `after the change it still needs: ${left}`);
  }
  const observed = await kind.observe?.(reader, resource.wanted);
  return settle(resource, place, {
    changes: acted.changes,
    startedAt: acted.startedAt,
    registered: { ...observed, ...acted.applied?.registered },
    failure: acted.applied?.failure,
  });
}

/** A finished report for a resource that failed. */
export function failed(
  resource: PlannedResource,
  place: Workplace,
  failure: { problem: Problem; startedAt: number; changes?: readonly Change[] },
): Finished {
  return finish(resource, place, { outcome: 'failed', ...failure });
}

async function attemptOnce(
  resource: PlannedResource,
  place: Workplace,
  startedAt: number,
): Promise<Finished> {
  let changes: readonly Change[] = [];
  try {
    return await withTimeout(resource.meta, async (signal) => {
      const looked = await lookAt(resource, place, { startedAt, signal });
      if ('finished' in looked) return looked.finished;
      changes = looked.changes;
      if (place.mode === 'check') return finish(resource, place, { outcome: 'changed', changes, startedAt });
      place.acting(resource);
      const { system, acts } = witnessed(place.system(resource.id, signal));
      const applied = await kindOf(resource).apply(system, resource.wanted, changes, contextOf(place));
      if (acts() === 0) throw refusal('resource.surprise', `it announced ${listed(changes)} and did nothing`);
      return concludeActed(resource, place, { changes, startedAt, signal, applied });
    });
  } catch (error) {
    return failed(resource, place, { problem: thrownProblem(error), startedAt, changes });
  }
}

/** The table is complete by type; which entry fits which resource is what `kind` says. */
function kindOf(resource: PlannedResource): AnyResource {
  return resources[resource.kind] as AnyResource;
}

function contextOf(place: Workplace): CheckContext {
  const { results } = place;
  return {
    pending: place.pending,
    results: results.known,
    unknown: results.unknown,
    evaluate: (expression) => results.evaluate(expression),
  };
}

function listed(changes: readonly Change[]): string {
  return changes.map(changeKey).join(', ');
}

/** Whether programs decide if a command is due; a dry run does not start them. */
export function hasGuard(resource: PlannedResource): boolean {
  return resource.kind === 'command' && (resource.wanted.onlyIf ?? resource.wanted.unless) !== undefined;
}

/** What is late is ended, and has this long to come to its end before the next resource begins. */
const endingMs = 5000;

async function withTimeout<T>(meta: Meta, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const act = run(controller.signal);
  if (meta.timeout === undefined) return act;
  const late = deferred<never>();
  const timer = setTimeout(() => {
    controller.abort();
    late.reject(refusal('resource.timeout', `not done after ${meta.timeout} seconds`));
  }, meta.timeout * 1000);
  try {
    return await Promise.race([act, late.promise]);
  } finally {
    clearTimeout(timer);
    if (controller.signal.aborted) await Promise.race([act.catch(() => {}), pause(endingMs)]);
  }
}

/** Applies changedWhen and failedWhen to what happened. */
function settle(
  resource: PlannedResource,
  place: Workplace,
  happened: {
    changes: readonly Change[];
    startedAt: number;
    registered?: Registered | undefined;
    failure?: Problem | undefined;
  },
): Finished {
  const { changedWhen, failedWhen } = resource.meta;
  const { changes, startedAt, failure } = happened;
  const own: Registered = {
    ...happened.registered,
    changed: changes.length > 0,
    failed: failure !== undefined,
    skipped: false,
  };
  const isFailed = failedWhen ? place.results.holds(failedWhen, own) === true : own.failed;
  const isChanged = changedWhen ? place.results.holds(changedWhen, own) === true : own.changed;
  const broken = failure ?? agentProblem('resource.condition-failed', 'its failedWhen condition holds');
  return finish(resource, place, {
    outcome: isFailed ? 'failed' : isChanged ? 'changed' : 'unchanged',
    problem: isFailed ? broken : undefined,
    changes,
    startedAt,
    registered: own,
  });
}

interface Ending {
  readonly outcome: ResourceReport['outcome'];
  readonly startedAt: number;
  readonly changes?: readonly Change[];
  readonly reason?: string;
  readonly problem?: Problem | undefined;
  readonly registered?: Registered | undefined;
}

function finish(resource: PlannedResource, place: Workplace, ending: Ending): Finished {
  const { outcome, problem, reason, startedAt } = ending;
  const changes = ending.changes ?? [];
  const isSensitive = resource.meta.sensitive;
  const report: ResourceReport = {
    resource: resource.id,
    outcome,
    changes: isSensitive ? changes.map(veiled) : [...changes],
    milliseconds: Math.round(place.now() - startedAt),
    reason,
    problem: problem && isSensitive ? muted(problem) : problem,
    ignored: (outcome === 'failed' && resource.meta.ignoreErrors) || undefined,
  };
  const cannotKnow = place.mode === 'check' && (outcome === 'changed' || isProbe(resource));
  return { report, registered: outcome === 'unknown' || cannotKnow ? undefined : registeredOf(ending) };
}

function registeredOf({ outcome, registered }: Ending): Registered {
  return {
    ...registered,
    changed: outcome === 'changed',
    failed: outcome === 'failed',
    skipped: outcome === 'skipped',
  };
}

/** A sensitive change tells that it is one, not what. */
function veiled(change: Change): Change {
  return { action: change.action, property: change.property };
}

/** The failure of something sensitive tells its kind and place; words and output may hold what must not leave. */
function muted({ code, where }: Problem): Problem {
  const message = 'it failed, and being sensitive it does not say how';
  return agentProblem(code as AgentProblemCode, message, where && { where });
}

function withAttempts(finished: Finished, attempts: number): Finished {
  return { ...finished, report: { ...finished.report, attempts } };
}
