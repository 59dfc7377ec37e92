/**
 * The only step that changes hosts: affected pairs to their hosts, and pairs nobody wants any more out of the ledger.
 * Invariant: what a released pair managed stays on the host and is named; removing it is a person's decision.
 * Never starts a host twice in one run.
 */

import { type Problem, placed } from '../../agent/protocol/problem.ts';
import { connectionFor } from '../../inventory/connection.ts';
import { timestamp } from '../base/clock.ts';
import { type Decision, pairKey } from '../plan/affected.ts';
import type { RoleDefinition } from '../policy/model.ts';
import { rollOut } from '../rollout/roll-out.ts';
import type { HostTask } from '../rollout/run-host.ts';
import { goOn, type Loaded, type Run, type Step } from './run.ts';

export const rollOutWork: Step = {
  name: 'roll-out-work',
  async take(run) {
    const { mode, environment, tags, skipTags } = run.request;
    const loaded = run.loaded as Loaded;
    const tasks = tasksOf(run, loaded);
    const { store, pool, facts, clock } = run.services;
    const looksOnly = mode === 'check' || mode === 'drift-report';
    run.rollout = await rollOut(loaded.roles, tasks, {
      parallel: environment.parallel,
      tools: {
        run: run.id,
        environment: environment.name,
        revision: loaded.snapshot.revision.id,
        mode: looksOnly ? 'check' : 'apply',
        drift: mode.startsWith('drift'),
        tags,
        skipTags,
        pool,
        ledger: store.ledger,
        facts,
        contents: loaded.policy.contents,
        clock,
        emit: run.emit,
        signal: run.signal,
        superseded: run.superseded,
      },
    });
    if (!looksOnly) {
      await release(run);
      await recordUnread(run);
    }
    return goOn;
  },
};

function tasksOf(run: Run, loaded: Loaded): HostTask[] {
  const roles = new Map(loaded.roles.map((role) => [role.name, role]));
  return (run.decision as Decision).affected.flatMap((desired) => {
    const { host } = desired;
    const role = roles.get(desired.role) as RoleDefinition;
    const spec = connectionFor(loaded.inventory, host, role.connect);
    if (!spec.ok) {
      unusable(run, host, spec.problem);
      return [];
    }
    return [{ desired, spec: spec.value, entry: run.entries?.get(pairKey(host, role.name)) }];
  });
}

function unusable(run: Run, host: string, problem: Problem): void {
  run.unreachable.set(host, problem);
  run.emit({ type: 'host-failed', host, problem: placed(problem, { host }) });
}

/** Pairs whose host could not be asked for its facts count as failed attempts, so that they are tried again. */
async function recordUnread(run: Run): Promise<void> {
  const { store, clock } = run.services;
  for (const { host, role } of (run.decision as Decision).needFacts) {
    const problem = run.unreachable.get(host);
    if (problem === undefined) continue;
    const attempt = { host, role, digest: '', at: timestamp(clock), run: run.id, problem };
    await store.ledger.recordFailed(run.request.environment.name, attempt);
  }
}

async function release(run: Run): Promise<void> {
  for (const { host, role } of (run.decision as Decision).released) {
    const entry = await run.services.store.ledger.release(run.request.environment.name, host, role);
    if (entry === undefined) continue;
    run.emit({
      type: 'released',
      host,
      role,
      resources: entry.plan.resources.map((resource) => resource.id),
    });
  }
}
