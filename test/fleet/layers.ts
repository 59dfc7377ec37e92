/**
 * The file layers under a test host: what hides the machine's own things, what every host has, what one host has.
 * Invariant: all preparation lies below the host's writable layer, so that layer holds exactly what happened since the start.
 * Never writes outside the fleet's folder.
 */

import { chmodSync, chownSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { systemProgram } from './available.ts';
import { must, run } from './run.ts';
import { accountFiles, fleetUsers, sudoers } from './users.ts';

const checkout = resolve(import.meta.dirname, '../..');

export interface LayerOptions {
  readonly clientKey: string;
  /** Lines of /etc/hosts: address and name of every host. */
  readonly hosts: readonly string[];
  /** Path of a stand-in program for systemctl; the hosts then look as if systemd ran. */
  readonly systemctl?: string | undefined;
  /** Units the stand-in knows besides those with a unit file. */
  readonly units: readonly string[];
  /** false: no Node on the hosts. */
  readonly node: boolean;
}

/** Lays the two layers and the device folder that all hosts share. */
export async function layShared(fleet: string, options: LayerOptions): Promise<void> {
  await layMask(join(fleet, 'mask'), options);
  await layBase(join(fleet, 'base'), options);
  await layDevices(join(fleet, 'dev'));
}

/** Lays what only this host has; the result is its public host key, `type base64`. */
export async function layHost(folder: string, name: string): Promise<string> {
  for (const part of ['upper', 'work', 'root', 'base']) mkdirSync(join(folder, part), { recursive: true });
  chmodSync(join(folder, 'upper'), 0o755);
  copyFolders(join(folder, 'base'), '/etc/ssh');
  const key = join(folder, 'base/etc/ssh/towline_host_key');
  const args = ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', key];
  await must('ssh-keygen', args);
  writeFileSync(join(folder, 'base/etc/hostname'), `${name}\n`);
  return readFileSync(`${key}.pub`, 'utf8').trim().split(' ').slice(0, 2).join(' ');
}

/** A character device 0:0 in an overlay's layer hides the same path of the layers below. */
async function layMask(mask: string, options: LayerOptions): Promise<void> {
  const hidden = ['/root', '/home', '/etc/sudoers.d', checkout];
  if (!options.node) hidden.push(...nodePlaces());
  mkdirSync(mask);
  for (const path of hidden) copyFolders(mask, dirname(path));
  for (const path of hidden) await must('mknod', ['-m', '0', join(mask, path), 'c', '0', '0']);
}

function nodePlaces(): string[] {
  const names = ['node', 'nodejs'];
  const places = ['/usr/local/bin', '/usr/bin'].flatMap((folder) => names.map((name) => `${folder}/${name}`));
  return places.filter((path) => statSync(path, { throwIfNoEntry: false }) !== undefined);
}

/** A folder in a layer replaces mode and owner of the one below, so both must agree. */
function copyFolders(layer: string, folder: string): void {
  if (folder === '/') return;
  copyFolders(layer, dirname(folder));
  const real = statSync(folder);
  const copy = join(layer, folder);
  if (statSync(copy, { throwIfNoEntry: false }) !== undefined) return;
  mkdirSync(copy, { mode: real.mode & 0o7777 });
  chownSync(copy, real.uid, real.gid);
}

async function layBase(base: string, options: LayerOptions): Promise<void> {
  const { passwd, group, shadow } = accountFiles();
  mkdirSync(base);
  for (const folder of ['/etc/ssh', '/etc/sudoers.d', '/home', '/usr/bin', '/usr/local/bin'])
    copyFolders(base, folder);
  const put = (path: string, text: string, mode = 0o644): void => {
    writeFileSync(join(base, path), text);
    chmodSync(join(base, path), mode);
  };
  put('etc/passwd', passwd);
  put('etc/group', group);
  put('etc/shadow', shadow, 0o640);
  put('etc/sudoers', sudoers, 0o440);
  put('etc/resolv.conf', '');
  put('etc/hosts', ['127.0.0.1 localhost', ...options.hosts, ''].join('\n'));
  put('etc/ssh/towline_sshd_config', await sshdConfig());
  for (const user of fleetUsers) layHome(base, user, options.clientKey);
  for (const unit of options.units) layUnit(base, unit);
  if (options.systemctl !== undefined)
    put('usr/bin/systemctl', readFileSync(options.systemctl, 'utf8'), 0o755);
  if (foreignRuntime(options.node) !== '') put('usr/local/bin/node', '', 0o755);
}

function layHome(base: string, user: { uid: number; home: string }, clientKey: string): void {
  const home = join(base, user.home);
  const keys = join(home, '.ssh/authorized_keys');
  mkdirSync(home, { mode: 0o700 });
  mkdirSync(join(home, '.ssh'), { mode: 0o700 });
  writeFileSync(keys, `${clientKey}\n`, { mode: 0o600 });
  for (const path of [home, join(home, '.ssh'), keys]) chownSync(path, user.uid, user.uid);
}

function layUnit(base: string, unit: string): void {
  const known = '/var/lib/stub-systemd/known';
  copyFolders(base, '/var/lib');
  mkdirSync(join(base, known), { recursive: true });
  writeFileSync(join(base, known, unit), '');
}

/** Many sessions and many starts at once; everything else as Debian has it. */
async function sshdConfig(): Promise<string> {
  const version = (await run('ssh', ['-V'])).stderr.match(/OpenSSH_(\d+)\.(\d+)/);
  const penalties = Number(version?.[1]) * 100 + Number(version?.[2]) >= 908;
  return [
    'HostKey /etc/ssh/towline_host_key',
    'PermitRootLogin yes',
    'PubkeyAuthentication yes',
    'PasswordAuthentication yes',
    'KbdInteractiveAuthentication no',
    'UsePAM yes',
    'PrintMotd no',
    'MaxStartups 1000',
    'MaxSessions 1000',
    'AllowTcpForwarding yes',
    'LogLevel VERBOSE',
    'PidFile none',
    ...(penalties ? ['PerSourcePenalties no'] : []),
    `Subsystem sftp ${statSync('/usr/lib/openssh/sftp-server', { throwIfNoEntry: false }) ? '/usr/lib/openssh/sftp-server' : 'internal-sftp'}`,
    '',
  ].join('\n');
}

async function layDevices(folder: string): Promise<void> {
  const devices = { null: [1, 3], zero: [1, 5], full: [1, 7], random: [1, 8], urandom: [1, 9], tty: [5, 0] };
  for (const part of ['pts', 'shm']) mkdirSync(join(folder, part), { recursive: true });
  await Promise.all(
    Object.entries(devices).map(([name, [major, minor]]) =>
      must('mknod', ['-m', '0666', join(folder, name), 'c', String(major), String(minor)]),
    ),
  );
  symlinkSync('pts/ptmx', join(folder, 'ptmx'));
  for (const [index, name] of ['stdin', 'stdout', 'stderr'].entries())
    symlinkSync(`/proc/self/fd/${index}`, join(folder, name));
  symlinkSync('/proc/self/fd', join(folder, 'fd'));
}

/** A Node to mount into the hosts when the machine has none where logins look; empty when it has. */
export function foreignRuntime(wanted: boolean): string {
  return wanted && systemProgram('node') === undefined ? process.execPath : '';
}
