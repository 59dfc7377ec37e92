/**
 * How a run ended: the environment's status, the summary, history. Happens whatever happened before.
 * Invariant: status is summarised once, here; a bad revision leaves `lastGood` as it was and says since when it is stalled.
 * Never contacts a host.
 */

import { countOutcomes } from '../../agent/protocol/outcome.ts';
import type { Problem } from '../../agent/protocol/problem.ts';
import { timestamp } from '../base/clock.ts';
import type { RunOutcome, RunSummary } from '../base/event.ts';
import type { PairEnd } from '../rollout/roll-out.ts';
import type { EnvironmentRecord } from '../state/store.ts';
import { type Run, revisionOf, type StepResult } from './run.ts';

/** Records a run and gives its summary. */
export async function recordRun(run: Run, last: StepResult): Promise<RunSummary> {
  const problems = last.goOn ? [] : last.problems;
  run.problems = problems;
  for (const problem of problems) run.emit({ type: 'problem', problem });
  if (problems.length > 0) await run.remember();
  const isPlanned = run.decision !== undefined;
  if (isPlanned) run.memory.lastGood = run.loaded;
  if (run.request.records) await recordEnvironment(run, problems);
  const summary = summarise(run, last.goOn ? outcomeOf(run) : last.outcome, problems[0]);
  run.emit({ type: 'run-finished', summary });
  if (run.isRemembered()) {
    const { store, clock } = run.services;
    await store.history.finish(run.id, { at: timestamp(clock), revision: revisionOf(run), summary });
  }
  return summary;
}

async function recordEnvironment(run: Run, problems: readonly Problem[]): Promise<void> {
  const { store, clock } = run.services;
  const { environment, mode } = run.request;
  const before = await store.environments.get(environment.name);
  const now = timestamp(clock);
  const isGood = run.decision !== undefined;
  const isSame = before?.stalled !== undefined && sameProblems(before.stalled.problems, problems);
  const record: EnvironmentRecord = {
    ...before,
    name: environment.name,
    branch: environment.branch,
    seen: revisionOf(run) ?? before?.seen,
    lastGood: isGood ? revisionOf(run) : before?.lastGood,
    stalled:
      isGood || problems.length === 0 ? undefined : isSame ? before?.stalled : { problems, since: now },
    lastFetchAt: revisionOf(run) === undefined ? before?.lastFetchAt : now,
    lastDriftAt: mode.startsWith('drift') ? now : before?.lastDriftAt,
    endedAt: undefined,
  };
  await store.environments.put(record);
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
    milliseconds: run.services.clock.now() - run.startedAt,
    problem: problem ?? run.rollout?.problem,
  };
}

function rankOf({ end }: PairEnd): Rank {
  if (end.kind !== 'done') return end.kind;
  return (end.result.outcomes.changed ?? 0) > 0 ? 'changed' : 'unchanged';
}
