/**
 * Hosts that are strange but usable: noisy logins, shells that are not POSIX, disks nothing may run from, clocks that jump.
 * Invariant: each converges as a plain host does; what it prints of its own is never taken for an answer.
 * Never changes a file outside the hosts' own layers.
 */

import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fleetAvailable } from '../fleet/available.ts';
import { type Fleet, upFleet } from '../fleet/fleet.ts';
import type { FleetHost } from '../fleet/host.ts';
import type { InventoryOptions } from '../fleet/inventory-toml.ts';
import { temporaryDirectories } from '../helpers/temporary-directory.ts';
import { createPolicy, roleText } from './policy.ts';
import { summaryOf, towline } from './towline.ts';

const reason = fleetAvailable();
const shells = ['/usr/bin/fish', '/bin/csh'];
const fakeTime = '/usr/bin/faketime';

const role = (word: string): string =>
  roleText(`
    directory('/srv/odd'),
    file('/srv/odd/word', { content: '${word}', mode: '0640', notify: 'told' }),
    template('/srv/odd/line', { from: 'line.njk' }),
    command('who', { argv: ['sh', '-c', 'id -un >/srv/odd/who; echo "it\\'s $HOME"'] }),
  `).replace(
    '  ],\n})',
    "  ],\n  handlers: { told: () => command('told', { argv: ['sh', '-c', 'cat /srv/odd/word >/srv/odd/told'] }) },\n})",
  );

const noise = [
  'echo "Welcome! Today\'s tip: $(id -un) \\$HOME"',
  'printf "\\033[31mred\\033[0m no line end"',
  'echo "warning on stderr" >&2',
  'printf "\\000\\001\\377 bytes\\n"',
].join('\n');

describe.skipIf(reason !== undefined)(`an odd host${reason ? ` (skipped: ${reason})` : ''}`, () => {
  const directories = temporaryDirectories();
  let fleet: Fleet;
  let host: FleetHost;

  beforeAll(async () => {
    fleet = await upFleet({ count: 1 });
    host = fleet.host('host1');
  });

  afterAll(async () => {
    await fleet?.down();
  });

  /** Applies twice from two reconcilers: the first changes all, the second finds nothing to do. */
  const converges = async (word: string, inventory: Partial<InventoryOptions>): Promise<void> => {
    const parts = {
      roles: { odd: role(word) },
      files: { 'roles/odd/templates/line.njk': 'host {{ host.name }}\n' },
      inventory,
    };
    const policy = createPolicy(directories(), fleet, parts);
    const first = await towline(['apply', '--json'], policy, 60);
    expect(summaryOf(first), `${first.stdout}\n${first.stderr}`).toMatchObject({
      outcome: 'done',
      hosts: { changed: ['host1'] },
    });
    expect(await host.readFile('/srv/odd/told')).toBe(word);
    expect((await host.readFile('/srv/odd/who')).trim()).toBe('root');
    const second = await towline(['check', '--json'], { ...policy, folder: directories() }, 60);
    const reports = second.said.flatMap((said) => (said.type === 'host-finished' ? said.result.reports : []));
    expect(reports.filter(({ outcome }) => outcome === 'changed').map(({ resource }) => resource)).toEqual([
      'command:who',
    ]);
    expect(reports.length).toBe(4);
  };
  const as = (user: string): Partial<InventoryOptions> => ({
    user,
    vars: { towline_become: 'sudo', towline_become_username: 'root' },
  });

  it('that greets with a banner, a profile and a start file full of noise', async () => {
    await host.writeFile('/etc/profile', `${noise}\n`);
    await host.writeFile('/etc/ssh/sshrc', `${noise}\n`);
    for (const home of ['/root', '/home/deploy']) {
      for (const file of ['.bashrc', '.profile']) await host.writeFile(`${home}/${file}`, `${noise}\n`);
    }
    await converges('noise as root', { user: 'root' });
    await converges('noise as deploy', as('deploy'));
    await host.exec([
      'sh',
      '-c',
      'rm -f /etc/ssh/sshrc /root/.bashrc /root/.profile /home/deploy/.*rc /home/deploy/.profile',
    ]);
    await host.writeFile('/etc/profile', '');
  });

  for (const shell of shells) {
    it.skipIf(!existsSync(shell))(`whose login shell is ${shell}`, async () => {
      await host.exec(['usermod', '-s', shell, 'deploy']);
      await host.exec(['usermod', '-s', shell, 'root']);
      await converges(`${shell} as deploy`, as('deploy'));
      await converges(`${shell} as root`, { user: 'root' });
    });
  }

  it('where nothing may be executed from /tmp, the homes and shared memory', async () => {
    const script = [
      'mount -o remount,noexec /tmp',
      'mount -o remount,noexec /dev/shm',
      'mount --bind /home/deploy /home/deploy',
      'mount -o remount,bind,noexec /home/deploy',
      'mount --bind /root /root',
      'mount -o remount,bind,noexec /root',
    ];
    const made = await host.exec(['sh', '-ec', script.join('\n')]);
    expect(made.stderr).toBe('');
    await converges('noexec as deploy', as('deploy'));
    await converges('noexec as root', { user: 'root' });
  });

  it.skipIf(!existsSync(fakeTime))('whose clock jumps back and forth by years while it works', async () => {
    await host.writeFile('/etc/faketime', '+0\n', '0666');
    // Every start of a program on the host moves its clock, for all that run.
    const node = [
      '#!/bin/sh',
      'export LD_PRELOAD=$(echo /usr/lib/*/faketime/libfaketime.so.1) FAKETIME_TIMESTAMP_FILE=/etc/faketime FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1',
      'exec /opt/node "$@"',
    ];
    await host.exec(['sh', '-c', 'cp "$(command -v node)" /opt/node']);
    await host.writeFile('/opt/towline-node', `${node.join('\n')}\n`, '0755');
    await host.writeFile('/etc/faketime', '+30y\n', '0666');
    const shown = await host.exec(['/opt/towline-node', '-p', 'new Date().getFullYear()']);
    expect(Number(shown.stdout)).toBeGreaterThan(new Date().getFullYear() + 28);
    const jumping = (text: string): string =>
      roleText(`
        directory('/srv/odd'),
        file('/srv/odd/word', { content: '${text}' }),
        ${['-9y', '+30y', '-2d', '+0'].map((to, at) => `command('jump ${at}', { argv: ['sh', '-c', 'echo ${to} >/etc/faketime; echo ${text} >>/srv/odd/jumps'] }), file('/srv/odd/after-${at}', { content: '${text}' }),`).join('\n')}
        command('slow', { argv: ['sleep', '0.2'], timeout: 60 }),
      `);
    const inventory = { user: 'root', vars: { towline_runtime: '/opt/towline-node' } };
    const policy = createPolicy(directories(), fleet, { roles: { odd: jumping('one') }, inventory });
    for (const text of ['one', 'two']) {
      policy.commit({ 'roles/odd/role.ts': jumping(text) });
      const ended = await towline(['apply', '--json'], policy, 60);
      expect(summaryOf(ended), `${ended.stdout}\n${ended.stderr}`).toMatchObject({ outcome: 'done' });
      const took = ended.said.flatMap((said) =>
        said.type === 'host-finished' ? [said.result.milliseconds] : [],
      );
      expect(took.every((each) => each >= 0 && each < 60_000)).toBe(true);
    }
    expect((await host.readFile('/srv/odd/jumps')).trim().split('\n')).toEqual([
      ...Array(4).fill('one'),
      ...Array(4).fill('two'),
    ]);
  });
});
