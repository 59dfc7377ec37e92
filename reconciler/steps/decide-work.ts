/**
 * What has to be done: desired digests against the ledger's. Reads facts of hosts first where roles need them.
 * Invariant: any problem of an evaluation stalls the revision and nothing of it is pushed.
 * Never contacts a host that no role needs facts of, and none at all when offline.
 */

import { type Problem, placed } from '../../agent/protocol/problem.ts';
import { connectionFor } from '../../inventory/connection.ts';
import type { AppliedDigests } from '../base/ledger.ts';
import { limited } from '../base/limited.ts';
import { type Decision, decide, pairKey, type RoleEvaluations } from '../plan/affected.ts';
import { openSession } from '../rollout/run-host.ts';
import { deferredHosts } from './deferred-hosts.ts';
import { evaluate } from './evaluate-roles.ts';
import { isLimited } from './look.ts';
import { end, goOn, type Loaded, looksOnly, type Run, type Step } from './run.ts';

export const decideWork: Step = {
  name: 'decide-work',
  async take(run) {
    const { name } = run.request.environment;
    const failed = await run.services.store.ledger.failed(name);
    run.failed = new Map(failed.map((each) => [pairKey(each.host, each.role), each]));
    run.deferred = deferredHosts(run);
    let decision = await decideNow(run);
    if (decision.needFacts.length > 0 && !run.request.offline && decision.problems.length === 0) {
      await readFacts(run, [...new Set(decision.needFacts.map((pair) => pair.host))]);
      await evaluate(run);
      decision = await decideNow(run);
    }
    if (decision.problems.length > 0) return end('stalled', decision.problems);
    run.decision = decision;
    return goOn;
  },
};

async function decideNow(run: Run): Promise<Decision> {
  const { mode, force, environment } = run.request;
  const { ledger } = run.services.store;
  const evaluations = run.evaluations as readonly RoleEvaluations[];
  const limit = isLimited(run.request) ? new Set(evaluations.flatMap((each) => each.hosts)) : undefined;
  const open = run.look?.open;
  const looked = limit === undefined ? open : { roles: new Set<string>(), hosts: limit };
  const applied = await ledger.digests(environment.name, looked);
  return decide({
    roles: evaluations,
    applied,
    failed: [...(run.failed?.values() ?? [])],
    take: force ? 'all' : mode.startsWith('drift') ? 'applied' : 'differing',
    settled: open === undefined ? 0 : (await ledger.count(environment.name)) - sizeOf(applied),
    limit,
  });
}

function sizeOf(applied: AppliedDigests): number {
  let size = 0;
  for (const hosts of applied.values()) size += hosts.size;
  return size;
}

/** Opens lines only to learn facts; a host that cannot be reached stays without and is reported. */
async function readFacts(run: Run, hosts: readonly string[]): Promise<void> {
  const { inventory, roles } = run.loaded as Loaded;
  const { pool, facts, clock, defaults } = run.services;
  const shipping = looksOnly(run.request) ? undefined : run.services.shipping;
  const wishOf = new Map(
    (run.evaluations ?? []).flatMap(({ role, hosts: of }) => of.map((host) => [host, role] as const)),
  );
  await limited(hosts, { most: run.request.environment.parallel, signal: run.signal }, async (host) => {
    const known = run.deferred?.get(host);
    if (known !== undefined) return noteUnreachable(run, host, known);
    const wish = roles.find((role) => role.name === wishOf.get(host))?.connect ?? {};
    const spec = connectionFor(inventory, host, wish, defaults);
    const opened = spec.ok
      ? await openSession(
          { spec: spec.value, desired: { host } },
          { pool, shipping, facts, clock, emit: run.emit, signal: run.signal },
        )
      : spec;
    if (opened.ok) return;
    noteUnreachable(run, host, opened.problem);
  });
}

function noteUnreachable(run: Run, host: string, problem: Problem): void {
  const where = { environment: run.request.environment.name, host };
  run.unreachable.set(host, placed(problem, where));
  run.emit({ type: 'host-failed', host, problem: placed(problem, where) });
}
