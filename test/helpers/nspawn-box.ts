/**
 * A real machine of systemd-nspawn with systemd inside, over this machine's files, for the kind `machinectl`.
 * Invariant: what it writes lands in a tmpfs of a private mount namespace, without network, and all ends with the test process;
 * of the machine itself one file is written and removed: the one by which systemd-machined lists a machine; it need not run itself.
 * Only for root: ask `nspawnUnavailable` first.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { systemProgram } from '../fleet/available.ts';
import { overlayUnavailable } from './overlay-root.ts';

/** Mounts over $1, boots the machine $2 there, says its pid; ends it and takes it off the list in $3 when its own input ends. */
const holder = `
set -eu
mount -t tmpfs -o mode=0755 towline-nspawn "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" towline-nspawn "$1/root"
rm -f "$1/root/etc/machine-id"
: >"$1/root/etc/machine-id"
systemd-nspawn -q -D "$1/root" -M "$2" --register=no --keep-unit --private-network --link-journal=no \\
  --console=pipe -b -- --unit=basic.target </dev/null >/dev/null 2>&1 &
echo $!
cat >/dev/null
exec 2>/dev/null
rm -f "$3/$2"
kill -KILL $!
wait $! || true
`;
const machines = '/run/systemd/machines';
/** Looks for the machine's manager, a fifth of a second apart. */
const looks = 150;

/** Why no machine can be booted here; undefined when one can. */
export function nspawnUnavailable(): string | undefined {
  const noOverlay = overlayUnavailable('systemd-nspawn', 'systemd-run', 'dbus-daemon', 'node');
  if (noOverlay !== undefined) return noOverlay;
  const probe = ['-q', '-D', '/', '--volatile=yes', '--register=no', '--keep-unit', '--link-journal=no'];
  const { status, stderr } = spawnSync(systemProgram('systemd-nspawn') ?? '', [...probe, '/bin/true'], {
    encoding: 'utf8',
  });
  return status === 0 ? undefined : `systemd-nspawn does not start here: ${stderr.trim().split('\n').at(-1)}`;
}

export interface NspawnBox {
  readonly name: string;
  /** Of its first process, which is systemd. */
  readonly leader: number;
  /** Where this process sees the machine's files. */
  path(...names: string[]): string;
  stop(): Promise<void>;
}

/** Boots a machine. */
export async function startNspawnBox(): Promise<NspawnBox> {
  const place = mkdtempSync(join(tmpdir(), 'towline-nspawn-'));
  const name = `towline-${process.pid}`;
  const args = ['-m', '--propagation', 'private', 'sh', '-c', holder, 'holder', place, name, machines];
  const child = spawn(systemProgram('unshare') ?? '', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const stop = (): Promise<void> => end(child, place);
  try {
    const leader = await booted(child, name);
    return { name, leader, path: (...names) => join(`/proc/${leader}/root`, ...names), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function booted(child: ChildProcess, name: string): Promise<number> {
  const [said] = (await once(child.stdout as NonNullable<ChildProcess['stdout']>, 'data')) as [Buffer];
  const nspawn = Number(said.toString().trim());
  mkdirSync(machines, { recursive: true });
  for (let look = 0; look < looks; look += 1) {
    const leader = leaderOf(nspawn);
    if (leader !== undefined) {
      writeFileSync(join(machines, name), `CLASS=container\nLEADER=${leader}\n`);
      const asked = ['--machine', name, '--quiet', '--collect', '--pipe', '--wait', '--', '/bin/true'];
      if (spawnSync(systemProgram('systemd-run') ?? '', asked, { timeout: 5000 }).status === 0) return leader;
    }
    await pause(200);
  }
  throw new Error('the machine did not boot');
}

function leaderOf(nspawn: number): number | undefined {
  try {
    const children = readFileSync(`/proc/${nspawn}/task/${nspawn}/children`, 'utf8')
      .split(' ')
      .filter(Boolean);
    return children.map(Number).find((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'systemd');
  } catch {
    return undefined;
  }
}

async function end(child: ChildProcess, place: string): Promise<void> {
  const exited = child.exitCode === null ? once(child, 'exit') : Promise.resolve();
  child.stdin?.end();
  await exited;
  rmSync(place, { recursive: true, force: true });
}
