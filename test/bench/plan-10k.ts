/**
 * A plan over 10,000 hosts × 50 roles after a commit to one role: in a running reconciler, and as a process of its own.
 * Invariant: the ledger knows every pair before the commit; no line to a host is opened.
 * Never counts the time that filling the ledger takes.
 */

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { commitFiles, createRepository } from '../helpers/git-repository.ts';
import { type Bench, type Figure, median, repeat, timed } from './bench.ts';
import { hostName, largeFacts, largePolicy, roleName, roleText, templateText } from './large-fleet.ts';
import { openPlanner, type Planner } from './planner.ts';
import { SimulatedHosts } from './simulated-hosts.ts';

/** Of the checkout, as what filled the state: another build's roles would all be evaluated anew. */
const launcher = join(import.meta.dirname, '../../bin/towline.cjs');
const size = { hosts: 10_000, roles: 50 };
/** The hosts that are sent something, and how many resources each gets. */
const sending = { patterns: ['host000??', 'host001??'], hosts: 200, resources: 100, rounds: 3 };

export const plan10k: Bench = {
  name: 'plan-10k',
  summary: `a plan over ${size.hosts} hosts × ${size.roles} roles after a commit to one role; no SSH`,
  minutes: 3,
  parts: [
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'towline-bench-'));
      try {
        return await measure(join(folder, 'policy'), join(folder, 'state'));
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  ],
};

async function measure(policy: string, state: string): Promise<readonly Figure[]> {
  createRepository(policy, largePolicy(size));
  await fill(policy, state);
  const before = heldBytes();
  const planner = await openPlanner(policy, state);
  const first = await planner.plan();
  const idle = (heldBytes() - before) / (size.hosts * size.roles);
  const figures: Figure[] = [
    { name: 'first plan of a process, nothing affected', value: first.milliseconds, unit: 'ms' },
    { name: 'memory for an idle host × role', value: idle, unit: 'B', budget: { most: 1000 } },
  ];
  figures.push(...(await warm(planner, policy)));
  await planner.close();
  await command(policy, state);
  const cold = await repeat(3, () => command(policy, state));
  figures.push(...(await sent(policy, state)));
  return [
    ...figures,
    { name: 'towline plan, whole process', value: median(cold), unit: 'ms', budget: { most: 2000 } },
  ];
}

/** What this process holds, garbage not counted; SQLite keeps a few MiB of its own. */
function heldBytes(): number {
  if (globalThis.gc === undefined) throw new Error('start node with --expose-gc');
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** A commit to a role with many resources on 200 hosts: planned, sent, done by simulated agents, and recorded. */
async function sent(policy: string, state: string): Promise<readonly Figure[]> {
  const hosts = new SimulatedHosts((host) => largeFacts(Number(host.slice(4))));
  const planner = await openPlanner(policy, state, hosts);
  const times: number[] = [];
  for (let round = 0; round <= sending.rounds; round += 1) {
    commitFiles(policy, { [`roles/${roleName(7)}/role.ts`]: manyResources(round) });
    const before = hosts.reported;
    const { milliseconds } = await planner.run('apply', 'done', sending.patterns);
    const reported = hosts.reported - before;
    // What earlier commits left to do on these hosts comes with the first.
    if (round === 0) continue;
    if (reported !== sending.hosts * sending.resources) throw new Error(`${reported} results came`);
    times.push(milliseconds);
  }
  await planner.close();
  const rate = (sending.hosts * sending.resources * 1000) / median(times);
  return [
    { name: '200 hosts × 100 resources sent and recorded', value: median(times), unit: 'ms' },
    { name: 'resource results taken', value: rate, unit: '1/s', budget: { least: 5000 } },
  ];
}

function manyResources(round: number): string {
  return `import { defineRole, directory } from 'towline';

export default defineRole({
  resources: () =>
    Array.from({ length: ${sending.resources} }, (_, index) =>
      directory(\`/srv/many/\${index}\`, { mode: '${['0750', '0755', '0700', '0711'][round]}' }),
    ),
});
`;
}

/** Facts of every host, and a ledger in which every pair is applied. */
async function fill(policy: string, state: string): Promise<void> {
  const planner = await openPlanner(policy, state);
  for (let index = 0; index < size.hosts; index += 1)
    void planner.store.facts.put(hostName(index), largeFacts(index), '2026-01-02T03:04:05.000Z');
  await planner.close();
  const filler = await openPlanner(policy, state);
  const { run } = await filler.plan();
  await filler.record(run);
  const again = await filler.plan();
  if (again.run.decision?.current !== size.hosts * size.roles) throw new Error('the ledger is not warm');
  await filler.settle();
  await filler.close();
}

/** In a reconciler that has planned before: commits whose plans are few, whose plans are many, and that change no plan. */
async function warm(planner: Planner, policy: string): Promise<readonly Figure[]> {
  const few: number[] = [];
  const many: number[] = [];
  const none: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    const path = `roles/${roleName(9)}/role.ts`;
    commitFiles(policy, { [path]: roleText(9, true).replace('/number', `/number-${round}`) });
    many.push(await planned(planner, size.hosts));
    commitFiles(policy, { [path]: roleText(9, false), 'notes.md': `round ${round}\n` });
    none.push(await planned(planner, 0));
    commitFiles(policy, { [`roles/${roleName(3)}/templates/app.conf.njk`]: templateText(`few ${round}`) });
    few.push(await planned(planner, size.hosts));
    if (round < 4)
      commitFiles(policy, { [`roles/${roleName(3)}/templates/app.conf.njk`]: templateText('first') });
  }
  return [
    {
      name: 'one role, 10,000 hosts affected, few distinct plans',
      value: median(few),
      unit: 'ms',
      budget: { most: 500 },
    },
    {
      name: 'one role, 10,000 hosts affected, 10,000 distinct',
      value: median(many),
      unit: 'ms',
    },
    { name: 'one commit that changes no plan', value: median(none), unit: 'ms', budget: { most: 500 } },
  ];
}

async function planned(planner: Planner, affected: number): Promise<number> {
  const { run, milliseconds } = await planner.plan();
  const found = run.decision?.affected.length;
  if (found !== affected) throw new Error(`${found} pairs are affected instead of ${affected}`);
  return milliseconds;
}

const execute = promisify(execFile);

async function towlinePlan(policy: string, state: string): Promise<string> {
  const argv = [launcher, 'plan', '--json', '--repo', policy, '--state', state];
  const ended = await execute(process.execPath, argv, {
    maxBuffer: 1 << 30,
    env: { ...process.env, XDG_CACHE_HOME: join(dirname(state), 'cache') },
  }).catch((error) => {
    if (error.code === 2) return error as { readonly stdout: string };
    throw error;
  });
  return ended.stdout;
}

/** Milliseconds of `towline plan`, which must tell of every host. */
async function command(policy: string, state: string): Promise<number> {
  let text = '';
  const milliseconds = await timed(async () => {
    text = await towlinePlan(policy, state);
  });
  const { length } = (JSON.parse(text) as { readonly pairs: readonly unknown[] }).pairs;
  if (length !== size.hosts) throw new Error(`towline plan tells of ${length} pairs`);
  return milliseconds;
}
