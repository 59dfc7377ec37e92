/**
 * How a run ended: the environment's status, the summary, history. Happens whatever happened before.
 * Invariant: status is summarised once, here; a bad revision leaves `lastGood` as it was and says since when it is stalled.
 * Never contacts a host.
 */

import { countOutcomes } from '../../agent/protocol/outcome.ts';
import type { Problem } from '../../agent/protocol/problem.ts';
import { timestamp } from '../base/clock.ts';
import type { RunOutcome, RunSummary } from '../base/event.ts';
import { thrownProblem } from '../base/thrown.ts';
import type { PairEnd } from '../rollout/roll-out.ts';
import type { EnvironmentRecord } from '../state/store.ts';
import { recordSettled } from './look.ts';
import { isAboutRevisionInForce, type Loaded, type Run, revisionOf, type StepResult } from './run.ts';

/** Records a run and gives its summary. A state that cannot be written is the run's failure, not the reconciler's. */
export async function recordRun(run: Run, last: StepResult): Promise<RunSummary> {
  const problems = last.goOn ? [] : last.problems;
  run.problems = problems;
  for (const problem of problems) run.emit({ type: 'problem', problem });
  if (run.decision !== undefined) putInForce(run, run.loaded as Loaded);
  const unwritten = await attempt(async () => {
    if (problems.length > 0) await run.remember();
    if (!run.request.records) return;
    await recordEnvironment(run, problems);
    await recordSettled(run);
  });
  if (unwritten !== undefined) run.emit({ type: 'problem', problem: unwritten });
  const outcome = unwritten === undefined ? (last.goOn ? outcomeOf(run) : last.outcome) : 'failed';
  const summary = summarise(run, outcome, problems[0] ?? unwritten);
  run.emit({ type: 'run-finished', summary });
  if (!run.isRemembered() || unwritten !== undefined) return summary;
  const { store, clock } = run.services;
  const unfinished = await attempt(() =>
    store.history.finish(run.id, { at: timestamp(clock), revision: revisionOf(run), summary }),
  );
  if (unfinished === undefined) return summary;
  run.emit({ type: 'problem', problem: unfinished });
  return { ...summary, outcome: 'failed', problem: summary.problem ?? unfinished };
}

async function attempt(write: () => Promise<void>): Promise<Problem | undefined> {
  try {
    await write();
    return undefined;
  } catch (error) {
    return thrownProblem(error, 'recording the run');
  }
}

function putInForce(run: Run, loaded: Loaded): void {
  run.memory.lastGood = loaded;
  run.services.claims.keep(run.request.environment.name, loaded.inventory.hosts.keys());
}

async function recordEnvironment(run: Run, problems: readonly Problem[]): Promise<void> {
  const { store, clock } = run.services;
  const { environment, mode } = run.request;
  const before = await store.environments.get(environment.name);
  const now = timestamp(clock);
  const revision = revisionOf(run);
  const isNewest = !isAboutRevisionInForce(run.request);
  const record: EnvironmentRecord = {
    ...before,
    name: environment.name,
    branch: environment.branch,
    seen: isNewest ? (revision ?? before?.seen) : (before?.seen ?? revision),
    lastGood: run.decision === undefined ? before?.lastGood : revision,
    stalled: stalledBy(run, problems, before?.stalled),
    lastFetchAt: revision === undefined || !isNewest ? before?.lastFetchAt : now,
    lastDriftAt: mode.startsWith('drift') ? now : before?.lastDriftAt,
    endedAt: undefined,
  };
  await store.environments.put(record);
}

/** A drift run or a retry says nothing of the newest revision, and a run that was stopped says nothing of any. */
function stalledBy(
  run: Run,
  problems: readonly Problem[],
  before: EnvironmentRecord['stalled'],
): EnvironmentRecord['stalled'] {
  if (isAboutRevisionInForce(run.request)) return before;
  if (run.decision !== undefined) return undefined;
  if (problems.length === 0 || problems[0]?.code === 'rollout.cancelled') return before;
  if (before !== undefined && sameProblems(before.problems, problems)) return before;
  return { problems, since: timestamp(run.services.clock) };
}

function sameProblems(before: readonly Problem[], now: readonly Problem[]): boolean {
  return (
    before.length === now.length && before.every((problem, index) => problem.message === now[index]?.message)
  );
}

function outcomeOf(run: Run): RunOutcome {
  const stopped = run.rollout?.problem?.code;
  if (stopped === 'rollout.cancelled' || stopped === 'rollout.superseded') return 'cancelled';
  const ends = run.rollout?.ends ?? [];
  const isBad =
    run.unreachable.size > 0 ||
    run.rollout?.problem !== undefined ||
    ends.some(({ end }) => end.kind !== 'done');
  if (isBad) return 'failed';
  return ends.length === 0 ? 'nothing-to-do' : 'done';
}

const ranks = ['unchanged', 'changed', 'waiting', 'unreachable', 'failed'] as const;
type Rank = (typeof ranks)[number];

function summarise(run: Run, outcome: RunOutcome, problem: Problem | undefined): RunSummary {
  const ends = run.rollout?.ends ?? [];
  const worst = new Map<string, Rank>();
  const rank = (host: string, value: Rank): void => {
    const before = worst.get(host);
    if (before === undefined || ranks.indexOf(before) < ranks.indexOf(value)) worst.set(host, value);
  };
  for (const host of run.unreachable.keys()) rank(host, 'unreachable');
  for (const pair of ends) rank(pair.host, rankOf(pair));
  const hosts = Object.fromEntries(
    ranks.map((name) => [name, [...worst].filter(([, value]) => value === name).map(([host]) => host)]),
  );
  return {
    outcome,
    resources: countOutcomes(ends.flatMap(({ end }) => end.result?.reports ?? [])),
    hosts: hosts as unknown as RunSummary['hosts'],
    milliseconds: Math.round(run.elapsed()),
    problem: problem ?? run.rollout?.problem,
  };
}

function rankOf({ end }: PairEnd): Rank {
  if (end.kind !== 'done') return end.kind;
  return (end.result.outcomes.changed ?? 0) > 0 ? 'changed' : 'unchanged';
}
