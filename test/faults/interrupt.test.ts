/**
 * Ends asked for from outside, and reconcilers that meet on one host or one state directory.
 * Invariant: the resource in hand is finished, nothing after it is begun, and nothing is left running anywhere.
 * Never waits without a deadline.
 */

import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fleetAvailable } from '../fleet/available.ts';
import { type Fleet, upFleet } from '../fleet/fleet.ts';
import { temporaryDirectories } from '../helpers/temporary-directory.ts';
import { createPolicy, type Policy, roleText } from './policy.ts';
import { expectNoStack, expectProblem, Running, type Said, summaryOf, towline } from './towline.ts';

const reason = fleetAvailable();

/** Steps of a role that each leave a line when they begin and when they end. */
function slowRole(name: string, steps: number, seconds: number): string {
  const step = (number: number): string => {
    const script = `echo begin ${number} >>/var/log/${name}; sleep ${seconds}; echo end ${number} >>/var/log/${name}`;
    return `command('step ${number}', { argv: ['sh', '-c', '${script}'] })`;
  };
  return roleText(Array.from({ length: steps }, (_, number) => step(number)).join(',\n'));
}

const began =
  (host: string, step: number) =>
  (said: Said): boolean =>
    said.type === 'host-event' &&
    said.host === host &&
    said.event.event === 'started' &&
    said.event.resource === `command:step ${step}`;

describe.skipIf(reason !== undefined)(`an end in the middle${reason ? ` (skipped: ${reason})` : ''}`, () => {
  const directories = temporaryDirectories();
  let fleet: Fleet;

  beforeAll(async () => {
    fleet = await upFleet({ count: 2 });
  });

  afterAll(async () => {
    await fleet?.down();
  });

  const policyFor = (role: string, settings: readonly string[] = []): Policy =>
    createPolicy(directories(), fleet, { roles: { slow: role }, settings });

  const log = async (name: string): Promise<string[]> => {
    const ran = await fleet.host('host1').exec(['cat', `/var/log/${name}`]);
    return ran.stdout.split('\n').filter((line) => line !== '');
  };

  const expectNoAgents = async (): Promise<void> => {
    const running = (): number => fleet.hosts.reduce((sum, host) => sum + host.agentPids().length, 0);
    for (let tries = 0; running() > 0 && tries < 200; tries += 1) await pause(50);
    expect(running()).toBe(0);
  };

  const wholeLog = (steps: number): string[] =>
    Array.from({ length: steps }, (_, step) => [`begin ${step}`, `end ${step}`]).flat();

  it('after Ctrl-C finishes the resource in hand with status 130, and the next apply goes on from there', async () => {
    const policy = policyFor(slowRole('one', 4, 0.4));
    const running = new Running(['apply', '--json', '--limit-hosts', 'host1'], policy);
    await running.until(began('host1', 1), 'the second step');
    running.signal('SIGINT');
    const ended = await running.end(10);
    expect(ended.status, ended.stdout + ended.stderr).toBe(130);
    expectNoStack(ended);
    expect(summaryOf(ended)?.outcome).toBe('cancelled');
    await expectNoAgents();
    expect(await log('one')).toEqual(wholeLog(2));
    const next = await towline(['apply', '--json', '--limit-hosts', 'host1'], policy);
    expect(next.status, next.stdout).toBe(0);
    expect(await log('one')).toEqual(wholeLog(4));
  });

  it('after a second Ctrl-C ends at once, and the host still finishes what it has in hand', async () => {
    const policy = policyFor(slowRole('two', 2, 4));
    const running = new Running(['apply', '--json', '--limit-hosts', 'host1'], policy);
    await running.until(began('host1', 0), 'the first step');
    running.signal('SIGINT');
    await pause(100);
    running.signal('SIGINT');
    expect((await running.end(10)).status).toBe(130);
    expect(await log('two')).toEqual(['begin 0']);
    await expectNoAgents();
    expect(await log('two')).toEqual(wholeLog(1));
  });

  it('after SIGTERM ends `run` with status 0 and leaves no agent, idle or in the middle', async () => {
    const policy = policyFor(slowRole('three', 3, 0.5));
    const running = new Running(['run', '--json'], policy);
    await running.until(began('host2', 1), 'the second step');
    running.signal('SIGTERM');
    const ended = await running.end(5);
    expect(ended.status, ended.stderr).toBe(0);
    expectNoStack(ended);
    await expectNoAgents();
    const again = new Running(['run', '--json'], policy);
    await again.until((said) => said.type === 'run-finished', 'a whole run');
    expect(summaryOf(again)?.outcome).toBe('done');
    expect(fleet.hosts.every((host) => host.agentPids().length === 1)).toBe(true);
    again.signal('SIGTERM');
    expect((await again.end(5)).status).toBe(0);
    await expectNoAgents();
    expect(await log('three')).toEqual(wholeLog(3));
  });

  it('ends within five seconds also when the resource in hand takes longer', async () => {
    const policy = policyFor(slowRole('long', 2, 9));
    const running = new Running(['run', '--json', '--limit-hosts', 'host1'], policy);
    await running.until(began('host1', 0), 'the first step');
    running.signal('SIGTERM');
    const ended = await running.end(10);
    expect(await log('long')).toEqual(['begin 0']);
    expect(ended.status).toBe(0);
    expect(expectProblem(ended, 'line.cancelled').message).toContain('finishes what it has in hand');
    for (let tries = 0; fleet.host('host1').agentPids().length > 0 && tries < 100; tries += 1)
      await pause(100);
    expect(fleet.host('host1').agentPids()).toEqual([]);
    expect(await log('long')).toEqual(wholeLog(1));
  });

  it('ends while it waits for a host that answers nothing', async () => {
    const host = fleet.host('host2');
    await host.stop();
    const policy = policyFor(slowRole('four', 1, 0));
    const running = new Running(['apply', '--json', '--limit-hosts', 'host2'], policy);
    await running.until((said) => said.type === 'host-connecting', 'the attempt');
    running.signal('SIGINT');
    const ended = await running.end(5);
    expect(ended.status).toBe(130);
    expectNoStack(ended);
    await host.start();
  });

  it('lets only one reconciler work on a host; the other waits and converges afterwards', async () => {
    const host = fleet.host('host1');
    const script =
      'echo begin >/var/log/five; until [ -e /go ]; do sleep 0.05; done; echo end >>/var/log/five';
    const first = policyFor(roleText(`command('step 0', { argv: ['sh', '-c', '${script}'] })`));
    const second = policyFor(roleText("file('/etc/second', { content: 'second' })"));
    const busy = new Running(['apply', '--json', '--limit-hosts', 'host1'], first);
    await busy.until(began('host1', 0), 'the first step');
    const waiting = new Running(['run', '--json', '--limit-hosts', 'host1'], second);
    await waiting.until((said) => said.type === 'run-finished', 'its first run');
    expect(summaryOf(waiting)?.hosts).toMatchObject({ waiting: ['host1'] });
    await host.writeFile('/go', '', '0644');
    expect((await busy.end(20)).status).toBe(0);
    await waiting.until(
      (said) => said.type === 'run-finished' && said.summary.outcome === 'done',
      'its next try',
    );
    waiting.signal('SIGTERM');
    const ended = await waiting.end(5);
    expect(expectProblem(ended, 'agent.busy').disposition).toBe('wait');
    expect(await log('five')).toEqual(['begin', 'end']);
    expect(await host.readFile('/etc/second')).toBe('second');
  });

  it('refuses a second reconciler on one state directory, naming the first', async () => {
    const policy = policyFor(slowRole('six', 1, 0));
    const first = new Running(['run', '--json'], policy);
    await first.until((said) => said.type === 'run-finished', 'a run');
    for (const command of ['run', 'apply']) {
      const second = await towline([command, '--json'], policy, 10);
      expect(second.status).toBe(1);
      const problem = expectProblem(second, 'state.in-use');
      expect(problem.message).toContain(`process ${first.process.pid}`);
    }
    first.signal('SIGTERM');
    expect((await first.end(5)).status).toBe(0);
  });
});
