/**
 * Crashes: the reconciler and the agent are killed in the middle of their work, and what follows makes it good.
 * Invariant: after the next run nothing is lost, nothing is done twice, and the hosts hold nothing of Towline.
 * The points of the kills come from a fixed seed, which a failure names.
 */

import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fleetAvailable } from '../fleet/available.ts';
import { type Fleet, upFleet } from '../fleet/fleet.ts';
import type { FleetHost } from '../fleet/host.ts';
import { temporaryDirectories } from '../helpers/temporary-directory.ts';
import { createPolicy, type Policy } from './policy.ts';
import { expectProblem, Running, summaryOf, towline } from './towline.ts';

const reason = fleetAvailable();
const seed = Number(process.env.TOWLINE_FAULT_SEED ?? 20260102);

/** The role: twenty files, a command after every fourth that leaves a line, a handler that tells what it saw. */
const crashRole = `import { command, defineRole, directory, file } from 'towline'
const sh = (text: string) => ['sh', '-c', text]
export default defineRole({
  maxFailures: '100%',
  resources: ({ data }) => {
    const { version } = data('version.json') as { version: string }
    return [
      directory('/srv/crash'),
      Array.from({ length: 20 }, (_, i) => [
        file('/srv/crash/' + i, { content: version + ' ' + i + '\\n', notify: 'tell' }),
        i % 4 === 0 && command('step ' + i, { argv: sh('sleep 0.03; echo ' + version + ' ' + i + ' >>/var/log/steps') }),
      ]),
    ]
  },
  handlers: { tell: () => command('tell', { argv: sh('cat /srv/crash/* | sha256sum >>/var/log/told') }) },
})
`;

function randomFrom(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function lines(host: FleetHost, path: string): Promise<string[]> {
  const ran = await host.exec(['cat', path]);
  return ran.stdout.split('\n').filter((line) => line !== '');
}

/** Everything the role wants is there, and its handler has seen the last of it. */
async function expectConverged(host: FleetHost, version: string): Promise<void> {
  const found = await host.exec(['sh', '-c', 'for i in $(seq 0 19); do cat /srv/crash/$i; done']);
  expect(found.stdout).toBe(Array.from({ length: 20 }, (_, i) => `${version} ${i}\n`).join(''));
  const sum = await host.exec(['sh', '-c', 'cat /srv/crash/* | sha256sum']);
  expect((await lines(host, '/var/log/told')).at(-1)).toBe(sum.stdout.trim());
}

/** How often each command of a version was run to its end. */
async function stepsOf(host: FleetHost, version: string): Promise<number[]> {
  const all = await lines(host, '/var/log/steps');
  return [0, 4, 8, 12, 16].map((step) => all.filter((line) => line === `${version} ${step}`).length);
}

/** Nothing of Towline is on the host: no process, no file beside those the role wants. */
async function expectNothingLeft(host: FleetHost): Promise<void> {
  for (let tries = 0; host.agentPids().length > 0 && tries < 100; tries += 1) await pause(50);
  expect(host.agentPids()).toEqual([]);
  const ours = [...host.overlayTree().keys()].filter((path) => /towline|\.journal|\.tmp/.test(path));
  const left = await host.exec(['sh', '-c', 'head -c 3000 /var/lib/towline/journal/*']);
  expect(ours, `${host.name}: ${left.stdout}`).toEqual([]);
  const found = await host.exec(['find', '/run/lock', '/tmp', '/srv', '-name', '*towline*']);
  expect(found.stdout).toBe('');
}

describe.skipIf(reason !== undefined)(`killed in the middle${reason ? ` (skipped: ${reason})` : ''}`, () => {
  const directories = temporaryDirectories();
  let fleet: Fleet;
  let policy: Policy;

  const commit = (version: string): string =>
    policy.commit({ 'roles/crash/data/version.json': JSON.stringify({ version }) });

  beforeAll(async () => {
    fleet = await upFleet({ count: 2 });
    policy = createPolicy(directories(), fleet, {
      roles: { crash: crashRole },
      files: { 'roles/crash/data/version.json': '{"version":"v0"}' },
    });
  });

  afterAll(async () => {
    await fleet?.down();
  });

  it('goes on where a killed reconciler stopped, and repeats no command', async () => {
    const random = randomFrom(seed);
    for (let round = 1; round <= 5; round += 1) {
      const version = `v${round}`;
      const about = `seed ${seed}, round ${round}`;
      commit(version);
      const command = round % 2 === 0 ? 'apply' : 'run';
      const doomed = new Running([command, '--json'], policy);
      const events = Math.floor(random() * 40);
      await doomed.when(
        () => doomed.said.filter((each) => each.type === 'host-event').length >= events,
        `${events} events`,
      );
      await pause(random() * 20);
      doomed.signal('SIGKILL');
      await doomed.end();
      // The agents finish the resource in hand; a reconciler that is faster than that finds them busy.
      for (const host of fleet.hosts)
        for (let tries = 0; host.agentPids().length > 0 && tries < 100; tries += 1) await pause(20);
      const next = await towline(['apply', '--json'], policy);
      expect(next.status, `${about}\n${next.stdout.slice(-2000)}${next.stderr}`).toBe(0);
      for (const host of fleet.hosts) {
        await expectConverged(host, version);
        expect(await stepsOf(host, version), `${about}, ${host.name}`).toEqual([1, 1, 1, 1, 1]);
        await expectNothingLeft(host);
      }
    }
  });

  it('notices a killed agent, and the next run owes its handler and repeats at most the command in hand', async () => {
    const random = randomFrom(seed + 1);
    for (let round = 1; round <= 3; round += 1) {
      const version = `a${round}`;
      const about = `seed ${seed}, round ${round}`;
      commit(version);
      const hurt = fleet.host('host1');
      const running = new Running(['apply', '--json'], policy);
      const events = 2 + Math.floor(random() * 30);
      const ofHurt = (): number =>
        running.said.filter((each) => each.type === 'host-event' && each.host === hurt.name).length;
      await running.when(() => ofHurt() >= events, `${events} events of ${hurt.name}`);
      for (const pid of hurt.agentPids()) process.kill(pid, 'SIGKILL');
      const ended = await running.end(20);
      expect(ended.status, about).toBe(1);
      const problem = expectProblem(ended, 'line.lost');
      expect(problem.where).toMatchObject({ host: 'host1', role: 'crash' });
      expect(summaryOf(ended)?.hosts).toMatchObject({ unreachable: ['host1'], changed: ['host2'] });
      const next = await towline(['apply', '--json'], policy);
      expect(next.status, `${about}\n${next.stdout.slice(-2000)}`).toBe(0);
      for (const host of fleet.hosts) {
        await expectConverged(host, version);
        await expectNothingLeft(host);
      }
      expect(await stepsOf(fleet.host('host2'), version)).toEqual([1, 1, 1, 1, 1]);
      const steps = await stepsOf(hurt, version);
      expect(Math.min(...steps), about).toBe(1);
      expect(
        steps.reduce((sum, count) => sum + count),
        about,
      ).toBeLessThanOrEqual(6);
    }
  });

  it('tries a host whose agent was killed again by itself', async () => {
    commit('again');
    const running = new Running(['run', '--json'], policy);
    const hurt = fleet.host('host2');
    await running.until((each) => each.type === 'host-event' && each.host === hurt.name, 'work on host2');
    for (const pid of hurt.agentPids()) process.kill(pid, 'SIGKILL');
    await running.until((each) => each.type === 'host-failed', 'a lost line');
    await running.until((each) => each.type === 'run-started' && each.trigger === 'retry', 'a retry');
    await running.when(
      () =>
        running.said.some(
          (each) => each.type === 'host-finished' && each.host === hurt.name && each.result.ok,
        ),
      'the retry’s end',
    );
    running.signal('SIGTERM');
    const ended = await running.end(10);
    expect(ended.status).toBe(0);
    for (const host of fleet.hosts) {
      await expectConverged(host, 'again');
      await expectNothingLeft(host);
    }
  });

  it('finds what the ledger says on the hosts after all of it', async () => {
    const ended = await towline(['drift', '--json'], policy);
    expect(ended.status, ended.stdout.slice(-2000)).toBe(0);
    expect(summaryOf(ended)?.resources).toMatchObject({ changed: 0, failed: 0 });
  });
});
