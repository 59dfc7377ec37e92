/**
 * A root file system of its own over this machine's, for tests that add users or packages.
 * Invariant: what is written lands in a tmpfs of a private mount namespace and is gone when its one process ends,
 * also when the test process dies; the machine itself is never changed.
 * Only for root with overlayfs: ask `overlayUnavailable` first.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Facts } from '../../agent/protocol/facts.ts';
import { accountsKey, groupsKey, parseAccounts, parseGroups } from '../../agent/system/accounts.ts';
import { PosixSystem } from '../../agent/system/posix.ts';
import { verifyQuery } from '../../agent/system/queries.ts';
import type { System } from '../../agent/system/system.ts';
import { systemProgram } from '../fleet/available.ts';

const unshare = systemProgram('unshare') ?? '';
const chroot = systemProgram('chroot') ?? '';

/** Mounts over $1, says so, and lives until its input ends. */
const holder = `
set -eu
mount -t tmpfs -o mode=0755 towline-overlay "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" towline-overlay "$1/root"
mount -t proc proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
mount -t tmpfs -o mode=1777 towline-overlay "$1/root/tmp"
mount -t tmpfs -o mode=0755 towline-overlay "$1/root/run"
exec chroot "$1/root" sh -c 'echo ready; exec cat >/dev/null'
`;

/** Why there can be no overlay root here; undefined when there can. */
export function overlayUnavailable(...programs: readonly string[]): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'an overlay root needs Linux and root';
  if (!readFileSync('/proc/filesystems', 'utf8').includes('overlay')) return 'the kernel has no overlayfs';
  const all = ['unshare', 'mount', 'chroot', ...programs];
  const missing = all.filter((name) => systemProgram(name) === undefined);
  if (missing.length > 0) return `missing: ${missing.join(', ')}`;
  const probe = ['-m', 'sh', '-c', 'mount -t tmpfs probe /mnt'];
  return spawnSync(unshare, probe).status === 0 ? undefined : 'mount namespaces are not permitted here';
}

export interface OverlayRoot {
  /** Where this process sees the root's files. */
  path(...names: string[]): string;
  /** A program's output inside; throws when it fails. */
  run(program: string, ...args: string[]): string;
  /** A System whose host is this root. */
  system(facts: Facts): System;
  stop(): Promise<void>;
}

/** Starts an overlay root. */
export async function startOverlayRoot(): Promise<OverlayRoot> {
  const place = mkdtempSync(join(tmpdir(), 'towline-overlay-'));
  const args = ['-m', '--propagation', 'private', 'sh', '-c', holder, 'holder', place];
  const child = spawn(unshare, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(() => Promise.reject(new Error('the overlay root did not start'))),
  ]);
  const root = `/proc/${child.pid}/root`;
  return {
    path: (...names) => join(root, ...names),
    run(program, ...rest) {
      const { status, stdout, stderr } = spawnSync(chroot, [root, program, ...rest], { encoding: 'utf8' });
      if (status !== 0) throw new Error(`${program} ${rest.join(' ')}: ${stdout}${stderr}`);
      return stdout;
    },
    system: (facts) => systemIn(root, facts),
    stop: () => end(child, place),
  };
}

async function end(child: ChildProcess, place: string): Promise<void> {
  const exited = once(child, 'exit');
  child.stdin?.end();
  await exited;
  rmSync(place, { recursive: true, force: true });
}

/** The real System of this machine with every path below `root` and every program started in it. */
function systemIn(root: string, facts: Facts): System {
  const memory = new Map<string, Promise<unknown>>();
  const contents = { held: () => undefined, open: () => Promise.reject(new Error('no contents here')) };
  const real = new PosixSystem({ facts, contents, memory });
  const at = (path: string): string => join(root, path);
  const database = (name: string): string => readFileSync(at(`/etc/${name}`), 'utf8');
  return {
    facts,
    stat: (path) => real.stat(at(path)),
    readFile: (path, limit) => real.readFile(at(path), limit),
    sha256: (path) => real.sha256(at(path)),
    readLink: (path) => real.readLink(at(path)),
    list: (path) => real.list(at(path)),
    accounts: () => real.once(accountsKey, async () => parseAccounts(database('passwd'))),
    groups: () => real.once(groupsKey, async () => parseGroups(database('group'))),
    query(query) {
      verifyQuery(query);
      return real.run([chroot, root, query.program, ...query.args], { env: { LC_ALL: 'C' } });
    },
    held: (content) => real.held(content),
    once: (key, read) => real.once(key, read),
    report: (stream, text) => real.report(stream, text),
    replaceFile: (path, content, options) => real.replaceFile(at(path), content, options),
    makeDirectory: (path, ownership) => real.makeDirectory(at(path), ownership),
    makeLink: (path, target) => real.makeLink(at(path), target),
    remove: (path, options) => real.remove(at(path), options),
    setOwnership: (path, ownership) => real.setOwnership(at(path), ownership),
    run: (argv, options) => real.run([chroot, root, ...argv], options),
    forget: (key) => real.forget(key),
  };
}
