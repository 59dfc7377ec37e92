/**
 * `towline plan`: affected hosts and roles, why, and what differs in their plans; touches nothing.
 * Invariant: no connection is opened; what cannot be known without one is said to be unknown.
 * Never takes the state's lock.
 */

import { canonicalJson, type Json } from '../../../agent/protocol/json.ts';
import type { PlannedResource, RolePlan } from '../../../agent/protocol/plan.ts';
import type { Affected, RunEvent } from '../../base/event.ts';
import { type Desired, pairKey } from '../../plan/affected.ts';
import type { Run } from '../../steps/run.ts';
import type { Command } from '../command.ts';
import { oneRun } from '../one-run.ts';
import { type PlanData, type PlannedChange, planView } from '../view/plan.ts';

export const plan: Command = {
  name: 'plan',
  summary: 'affected hosts and roles, and why; contacts nobody',
  options: ['rev', 'worktree', 'force'],
  examples: [
    ['towline plan', 'what the next apply would do'],
    ['towline plan --env production --rev 3f2c1aa', 'what a revision would do'],
    ['towline plan --worktree -v', 'files as they are, with every resource'],
  ],
  run(invocation) {
    let affected: readonly Affected[] = [];
    const watch = (event: RunEvent): void => {
      if (event.type === 'planned') affected = event.affected;
    };
    return oneRun(invocation, {
      mode: 'check',
      offline: true,
      records: false,
      live: false,
      watch,
      show: async (run, summary, { output }) => {
        const problems = summary.problem === undefined ? [] : run.problems;
        const data = planData(run, affected, { problems, verbosity: invocation.options.verbose });
        output.document(data, (style, width) => planView(data, style, width));
      },
    });
  },
};

function planData(
  run: Run,
  affected: readonly Affected[],
  rest: Pick<PlanData, 'problems' | 'verbosity'>,
): PlanData {
  const wanted = new Map(
    (run.decision?.affected ?? []).map((desired) => [pairKey(desired.host, desired.role), desired]),
  );
  return {
    environment: run.request.environment.name,
    revision: run.snapshot?.revision,
    pairs: affected.map((pair) => {
      const key = pairKey(pair.host, pair.role);
      return { ...pair, resources: comparePlans(run.entries?.get(key)?.plan, wanted.get(key) as Desired) };
    }),
    current: run.decision?.current ?? 0,
    needFacts: run.decision?.needFacts ?? [],
    ...rest,
  };
}

/** The resources of a plan against those of the one applied before. */
export function comparePlans(
  before: RolePlan | undefined,
  desired: Pick<Desired, 'plan' | 'places'>,
): PlannedChange[] {
  const old = new Map((before?.resources ?? []).map((resource) => [resource.id, resource]));
  const changes = desired.plan.resources.map((resource): PlannedChange => {
    const place = desired.places[resource.id];
    const was = old.get(resource.id);
    old.delete(resource.id);
    if (was === undefined) return { resource: resource.id, difference: 'new', place };
    const details = differences(was, resource);
    return { resource: resource.id, difference: details === '' ? 'same' : 'changed', details, place };
  });
  return [...changes, ...[...old.keys()].map((id): PlannedChange => ({ resource: id, difference: 'gone' }))];
}

/** Parameters that differ, short values with both sides. */
function differences(before: PlannedResource, after: PlannedResource): string {
  const [old, now] = [parameters(before), parameters(after)];
  const names = [...new Set([...Object.keys(old), ...Object.keys(now)])];
  return names
    .filter((name) => canonicalJson(old[name] ?? null) !== canonicalJson(now[name] ?? null))
    .map((name) => `${name}${sides(old[name], now[name])}`)
    .join(', ');
}

function parameters(resource: PlannedResource): Record<string, Json | undefined> {
  return { ...(resource.wanted as Record<string, Json>), ...(resource.meta as Record<string, Json>) };
}

function sides(before: Json | undefined, after: Json | undefined): string {
  const isShort = [before, after].every(
    (value) => value === undefined || (typeof value !== 'object' && String(value).length <= 24),
  );
  return isShort ? ` ${before ?? '(unset)'} → ${after ?? '(unset)'}` : '';
}
