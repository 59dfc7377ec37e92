/**
 * Hosts that go and come back while the reconciler runs: rebooted in the middle of a role, set up anew with another key.
 * Invariant: `run` goes on for the others and comes back to the host by itself, or says what a person must do.
 * The hosts are real; power and keys change inside their own namespaces.
 */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fleetAvailable } from '../fleet/available.ts';
import { type Fleet, upFleet } from '../fleet/fleet.ts';
import type { FleetHost } from '../fleet/host.ts';
import { temporaryDirectories } from '../helpers/temporary-directory.ts';
import { createPolicy, type Policy, roleText } from './policy.ts';
import { expectProblem, Running, type Said, towline } from './towline.ts';

const reason = fleetAvailable();

/** Ten steps that leave a line each, the middle one slow. */
const role = (version: string): string =>
  roleText(
    `file('/etc/version', { content: '${version}', notify: 'told' }),
    Array.from({ length: 10 }, (_, i) => command('step ' + i, { argv: ['sh', '-c', (i === 5 ? 'sleep 1; ' : '') + 'echo ${version} ' + i + ' >>/var/log/steps'] })),`,
    "maxFailures: '100%', handlers: { told: () => command('told', { argv: ['sh', '-c', 'cat /etc/version >>/var/log/told'] }) },",
  );

describe.skipIf(reason !== undefined)(`a host that goes away${reason ? ` (skipped: ${reason})` : ''}`, () => {
  const directories = temporaryDirectories();
  let fleet: Fleet;
  let host: FleetHost;
  let policy: Policy;
  let running: Running;

  const doneFor = (name: string, since: number) => (): boolean =>
    running.said
      .slice(since)
      .some((said) => said.type === 'host-finished' && said.host === name && said.result.ok);
  const failedFor = (said: Said, code: string): boolean =>
    said.type === 'host-failed' && said.host === 'gone' && said.problem.code === code;

  beforeEach(async () => {
    fleet = await upFleet({ count: 2, names: ['gone', 'stays'] });
    host = fleet.host('gone');
    policy = createPolicy(directories(), fleet, {
      roles: { steps: role('v1') },
      inventory: { vars: { towline_host_keys: 'accept-new' } },
    });
    running = new Running(['run', '--json'], policy);
    await running.when(() => doneFor('gone', 0)() && doneFor('stays', 0)(), 'the first run');
  });

  afterEach(async () => {
    running?.signal('SIGTERM');
    await running?.end();
    await fleet?.down();
  });

  it('by a reboot in the middle of a role is finished when it is back, and only the command in hand may run again', async () => {
    const since = running.said.length;
    policy.commit({ 'roles/steps/role.ts': role('v2') });
    const inHand = (said: Said): boolean =>
      said.type === 'host-event' &&
      said.host === 'gone' &&
      said.event.event === 'started' &&
      said.event.resource === 'command:step 5';
    await running.when(() => running.said.slice(since).some(inHand), 'the slow step');
    await host.stop();
    await running.when(
      () => running.said.some((said) => said.type === 'host-failed' && said.host === 'gone'),
      'the news that the host is gone',
      20,
    );
    await running.when(doneFor('stays', since), 'the other host');
    await host.start();
    await running.when(doneFor('gone', since), 'the host that is back', 60);
    const steps = (await host.readFile('/var/log/steps')).trim().split('\n');
    const mine = steps.filter((line) => line.startsWith('v2'));
    for (let step = 0; step < 10; step += 1) {
      const times = mine.filter((line) => line === `v2 ${step}`).length;
      expect(times, `step ${step} of ${mine.join()}`).toBe(1);
    }
    expect((await host.readFile('/var/log/told')).endsWith('v2')).toBe(true);
  }, 120_000);

  it('and comes back with another key is refused with the line to look at, until a person says that it is right', async () => {
    const made = await host.exec([
      'sh',
      '-ec',
      "rm /etc/ssh/towline_host_key*; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/towline_host_key",
    ]);
    expect(made.status, made.stderr).toBe(0);
    await host.stop();
    await host.start();
    const since = running.said.length;
    policy.commit({ 'roles/steps/role.ts': role('v3') });
    await running.when(
      () => running.said.some((said) => failedFor(said, 'ssh.host-key-changed')),
      'the refusal',
      60,
    );
    await running.when(doneFor('stays', since), 'the other host');
    running.signal('SIGTERM');
    const ended = await running.end();
    const { message, where } = expectProblem(ended, 'ssh.host-key-changed');
    expect(message).toContain('known_hosts:');
    expect(where?.line).toBeGreaterThan(0);
    expect(await host.readFile('/var/log/steps')).not.toContain('v3');

    const key = (await host.readFile('/etc/ssh/towline_host_key.pub'))
      .trim()
      .split(' ')
      .slice(0, 2)
      .join(' ');
    policy.commit({
      'inventory/hosts.toml': fleet.inventoryToml({
        user: 'root',
        vars: { towline_host_keys: 'pinned', towline_pinned_keys: key },
      }),
    });
    const after = await towline(['apply', '--json', '--limit-hosts', 'gone'], policy);
    expect(after.status, after.stdout).toBe(0);
    expect(await host.readFile('/var/log/steps')).toContain('v3');
  }, 120_000);
});
