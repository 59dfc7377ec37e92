/**
 * Hosts that cannot be reached, entered or changed: each gives a Problem that says which and why, and stops no other host.
 * Invariant: every run ends within its deadlines, whatever the host does or does not.
 * The hosts are real; their disks are filled and locked inside their own namespaces.
 */

import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fleetAvailable } from '../fleet/available.ts';
import { type Fleet, upFleet } from '../fleet/fleet.ts';
import type { InventoryOptions } from '../fleet/inventory-toml.ts';
import { must } from '../fleet/run.ts';
import { temporaryDirectories } from '../helpers/temporary-directory.ts';
import { createPolicy, type PolicyParts, roleText } from './policy.ts';
import { expectProblem, summaryOf, towline } from './towline.ts';

const reason = fleetAvailable();
const good = roleText("file('/etc/good', { content: 'good' })", "maxFailures: '100%',");

describe.skipIf(reason !== undefined)(`a host in trouble${reason ? ` (skipped: ${reason})` : ''}`, () => {
  const directories = temporaryDirectories();
  let fleet: Fleet;

  beforeAll(async () => {
    fleet = await upFleet({ count: 3, names: ['bad', 'good', 'off'] });
  });

  afterAll(async () => {
    await fleet?.down();
  });

  /** Applies a role where only the host `bad` is wrong; gives the problem and how the run ended. */
  const applied = async (
    code: string,
    inventory: Partial<InventoryOptions>,
    more: Partial<PolicyParts> = {},
  ) => {
    const policy = createPolicy(directories(), fleet, { roles: { one: good }, ...more, inventory });
    const ended = await towline(['apply', '--json', '--limit-hosts', 'bad,good'], policy, 40);
    expect(ended.status, ended.stdout).toBe(1);
    const problem = expectProblem(ended, code);
    expect(problem.where).toMatchObject({ host: 'bad' });
    const hosts = summaryOf(ended)?.hosts;
    expect([...(hosts?.changed ?? []), ...(hosts?.unchanged ?? [])]).toEqual(['good']);
    return { problem, ended, policy };
  };
  const hostVars = (bad: Record<string, string | number | boolean>) => ({ hostVars: { bad } });

  it('is told when its port is closed', async () => {
    const { problem } = await applied('ssh.unreachable', hostVars({ towline_port: 2 }));
    expect(problem.message).toContain(fleet.host('bad').address);
    expect(problem.disposition).toBe('retry');
  });

  it('is told when its address answers nothing', async () => {
    await fleet.host('off').stop();
    const { ended } = await applied('ssh.unreachable', hostVars({ towline_host: fleet.host('off').address }));
    expect(ended.milliseconds).toBeLessThan(30_000);
  });

  it('is told when it refuses the key, or when the key is none', async () => {
    const folder = directories();
    const other = join(folder, 'other');
    await must('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', other]);
    const refused = await applied('ssh.auth-refused', hostVars({ towline_ssh_key: other }));
    expect(refused.problem.message).toContain('root');
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    writeFileSync(join(folder, 'none'), publicKey.export({ type: 'spki', format: 'pem' }));
    await applied('ssh.key-unreadable', hostVars({ towline_ssh_key: join(folder, 'none') }));
  });

  it('is told at which line of known_hosts another key stands, and that it is unknown where none does', async () => {
    const policy = createPolicy(directories(), fleet, {
      roles: { one: good },
      inventory: { vars: { towline_host_keys: 'strict' } },
    });
    const file = join(policy.folder, 'home/.ssh/known_hosts');
    mkdirSync(join(policy.folder, 'home/.ssh'), { recursive: true });
    const [bad, ok] = [fleet.host('bad'), fleet.host('good')];
    writeFileSync(file, `# mine\n${bad.address} ${ok.hostKey}\n`);
    const ended = await towline(['apply', '--json', '--limit-hosts', 'bad,good'], policy, 40);
    expect(ended.status).toBe(1);
    const changed = expectProblem(ended, 'ssh.host-key-changed');
    expect(changed.where).toMatchObject({ host: 'bad', file, line: 2 });
    expect(changed.message).toContain(`${file}:2`);
    expect(expectProblem(ended, 'ssh.host-key-unknown').where).toMatchObject({ host: 'good' });
    expect(readFileSync(file, 'utf8')).toContain('# mine');
  });

  it('is told apart: a wrong password for sudo, and sudo that is not allowed', async () => {
    const become = { towline_become: 'sudo', towline_become_password: 'surely-wrong' };
    const wrong = await applied(
      'become.wrong-password',
      hostVars({ towline_ssh_username: 'limited', ...become }),
    );
    expect(wrong.ended.stdout).not.toContain('surely-wrong');
    const never = { ...become, towline_become_password: 'nosudo-password' };
    const denied = await applied(
      'become.not-permitted',
      hostVars({ towline_ssh_username: 'nosudo', ...never }),
    );
    expect(denied.ended.stdout).not.toContain('nosudo-password');
  });

  it('is told when a disk is full, and keeps the old file', async () => {
    const host = fleet.host('bad');
    for (const each of [host, fleet.host('good')]) await each.exec(['mkdir', '-p', '/mnt/small']);
    await host.exec(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'small', '/mnt/small']);
    await host.writeFile('/mnt/small/file', 'old\n');
    const big = roleText(
      "file('/mnt/small/file', { content: Array.from({ length: 40_000 }, (_, i) => i).join(' ') })",
      "maxFailures: '100%',",
    );
    const { problem } = await applied('file.disk-full', {}, { roles: { one: big } });
    expect(problem.message).toContain('/mnt/small');
    expect(await host.readFile('/mnt/small/file')).toBe('old\n');
    expect((await host.exec(['ls', '-A', '/mnt/small'])).stdout).toBe('file\n');
  });

  it('is told when a file system is read-only', async () => {
    const host = fleet.host('bad');
    await host.exec(['mount', '-o', 'remount,ro', '/mnt/small']);
    const small = roleText("file('/mnt/small/file', { content: 'new' })", "maxFailures: '100%',");
    const { problem } = await applied('file.read-only', {}, { roles: { one: small } });
    expect(problem.message).toContain('/mnt/small');
    await host.exec(['umount', '/mnt/small']);
  });

  it('is told when it has no runtime where one was promised', async () => {
    await applied('runtime.missing', hostVars({ towline_runtime: '/opt/nowhere/node' }));
  });
});
