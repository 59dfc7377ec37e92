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
import { goOn, type Loaded, looksOnly, type Run, type Step } from './run.ts';

export const rollOutWork: Step = {
  name: 'roll-out-work',
  async take(run) {
    const { mode, trigger, environment, tags, skipTags } = run.request;
    const loaded = run.loaded as Loaded;
    const tasks = tasksOf(run, loaded);
    const { store, pool, shipping, facts, clock } = run.services;
    const dry = looksOnly(run.request);
    run.rollout = await rollOut(loaded.roles, tasks, {
      parallel: environment.parallel,
      tools: {
        run: run.id,
        environment: environment.name,
        revision: loaded.snapshot.revision.id,
        mode: dry ? 'check' : 'apply',
        drift: mode.startsWith('drift'),
        spreadSeconds: trigger === 'drift' ? environment.drift.spreadSeconds : 0,
        tags,
        skipTags,
        pool,
        shipping: dry ? undefined : shipping,
        ledger: store.ledger,
        facts,
        contents: loaded.policy.contents,
        clock,
        emit: run.emit,
        signal: run.signal,
        superseded: run.superseded,
      },
    });
    if (!dry) {
      await release(run);
      await recordUnasked(run);
    }
    return goOn;
  },
};

function tasksOf(run: Run, loaded: Loaded): HostTask[] {
  const roles = new Map(loaded.roles.map((role) => [role.name, role]));
  return (run.decision as Decision).affected.flatMap((desired) => {
    const { host } = desired;
    const known = run.deferred?.get(host);
    if (known !== undefined) {
      if (!run.unreachable.has(host)) unusable(run, host, known);
      return [];
    }
    const role = roles.get(desired.role) as RoleDefinition;
    const spec = connectionFor(loaded.inventory, host, role.connect, run.services.defaults);
    if (!spec.ok) {
      unusable(run, host, spec.problem);
      return [];
    }
    const key = pairKey(host, role.name);
    const failedRun = run.failed?.get(key)?.run;
    return [{ desired, spec: spec.value, entry: run.entries?.get(key), failedRun }];
  });
}

function unusable(run: Run, host: string, problem: Problem): void {
  const placedProblem = placed(problem, { environment: run.request.environment.name, host });
  run.unreachable.set(host, placedProblem);
  run.emit({ type: 'host-failed', host, problem: placedProblem });
}

/** Pairs whose host could not be asked at all count as failed attempts: status tells of them, and they are tried again. */
async function recordUnasked(run: Run): Promise<void> {
  const { store, clock } = run.services;
  const { needFacts, affected } = run.decision as Decision;
  const asked = new Set(run.rollout?.ends.map(({ host, role }) => pairKey(host, role)));
  const unasked = [...needFacts.map((pair) => ({ ...pair, digest: '' })), ...affected];
  for (const { host, role, digest } of unasked) {
    const problem = run.unreachable.get(host);
    if (problem === undefined || run.deferred?.has(host) || asked.has(pairKey(host, role))) continue;
    const attempt = {
      host,
      role,
      digest,
      at: timestamp(clock),
      run: run.id,
      problem: placed(problem, { role }),
    };
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
