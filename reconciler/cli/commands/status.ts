/**
 * `towline status`: what is where, since when, and why not.
 * Invariant: a host that was never reached is never green; a stalled revision shows its reasons.
 * Contacts nobody and writes nothing.
 */

import type { Problem } from '../../../agent/protocol/problem.ts';
import type { FailedAttempt } from '../../base/ledger.ts';
import type { EnvironmentRecord, Store } from '../../state/store.ts';
import type { Command, Options } from '../command.ts';
import { readState } from '../read-state.ts';
import { type EnvironmentStatus, type HostStatus, statusView } from '../view/status.ts';

export const status: Command = {
  name: 'status',
  summary: 'environments and hosts: what is in force, since when, what is wrong',
  examples: [
    ['towline status', 'every environment'],
    ['towline status -v --env production', 'one environment with a row per host'],
    ['towline status --json', 'for a program'],
  ],
  run(invocation) {
    const { options, surroundings } = invocation;
    return readState(invocation, async (store, output) => {
      const environments = await readEnvironments(store, options);
      const data = { environments, now: surroundings.clock.now(), perHost: options.verbose > 0 };
      output.document(environments, (style, width) => statusView(data, style, width));
      return [];
    });
  },
};

/** The status of every environment, or of the one that the options name. */
export async function readEnvironments(
  store: Store,
  { env }: Pick<Options, 'env'>,
): Promise<readonly EnvironmentStatus[]> {
  const records = (await store.environments.all()).filter(({ name }) => env === undefined || name === env);
  return Promise.all(records.map((record) => readEnvironment(store, record)));
}

async function readEnvironment(store: Store, record: EnvironmentRecord): Promise<EnvironmentStatus> {
  const { name } = record;
  const [lastRun] = await store.history.runs({ environment: name, limit: 1 });
  return {
    ...record,
    lastRun: lastRun && {
      run: lastRun.run,
      startedAt: lastRun.startedAt,
      trigger: lastRun.trigger,
      summary: lastRun.summary,
    },
    hosts: await readHosts(store, name),
  } as EnvironmentStatus;
}

interface HostRows {
  readonly applied: { readonly role: string; readonly digest: string }[];
  readonly failed: FailedAttempt[];
}

async function readHosts(store: Store, environment: string): Promise<readonly HostStatus[]> {
  const hosts = new Map<string, HostRows>();
  const rows = (host: string): HostRows => {
    const known = hosts.get(host) ?? { applied: [], failed: [] };
    hosts.set(host, known);
    return known;
  };
  for (const [role, digests] of await store.ledger.digests(environment)) {
    for (const [host, digest] of digests) rows(host).applied.push({ role, digest });
  }
  for (const attempt of await store.ledger.failed(environment)) rows(attempt.host).failed.push(attempt);
  return Promise.all(
    [...hosts].map(async ([host, { applied, failed }]): Promise<HostStatus> => {
      const entries = await Promise.all(
        applied.map(({ role }) => store.ledger.entry(environment, host, role)),
      );
      const last = entries
        .filter((entry) => entry !== undefined)
        .sort((a, b) => (a.appliedAt < b.appliedAt ? 1 : -1))[0];
      return {
        host,
        state: stateOf(failed, applied.length),
        roles: applied.map(({ role }) => role),
        appliedAt: last?.appliedAt,
        revision: last?.revision,
        problem: worst(failed),
      };
    }),
  );
}

function stateOf(failed: readonly FailedAttempt[], applied: number): HostStatus['state'] {
  const problem = worst(failed);
  if (problem === undefined) return applied > 0 ? 'in-sync' : 'never-applied';
  if (problem.disposition === 'retry') return 'unreachable';
  return problem.disposition === 'wait' ? 'pending' : 'failed';
}

/** What a person must mend before what may pass by itself. */
function worst(failed: readonly FailedAttempt[]): Problem | undefined {
  const order = ['stalled', 'defect', 'retry', 'wait'];
  const problems = failed.map(({ problem }) => problem);
  return problems.sort((a, b) => order.indexOf(a.disposition) - order.indexOf(b.disposition))[0];
}
