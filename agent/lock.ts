/**
 * One converge per host at a time, across reconcilers and accounts: a lock file that names a living process.
 * Invariant: a lock whose process (pid, start time, boot) is gone counts as free, so it survives neither crash nor reboot.
 * Never waits by itself, never takes a lock away from a living process.
 */

import { pause } from './pause.ts';
import { readAtOnce } from './system/at-once.ts';
import { discardDirectory, discardFile } from './system/discard.ts';
import { guarded } from './system/errors.ts';
import { linkSync, lstat, mkdir, mkdirSync, unlinkSync, writeFileSync } from './system/platform.ts';
import { temporaryPath } from './system/replace-file.ts';

/** Who holds the lock. */
export interface Holder {
  readonly pid: number;
  readonly start: string;
  readonly boot: string;
  readonly run: string;
}

export type Taken =
  | { readonly free: true; readonly release: () => Promise<void> }
  | { readonly free: false; readonly holder: Holder | undefined };

const name = 'towline-converge.lock';
const nobody: Holder = { pid: 0, start: '', boot: '', run: '' };
/** This process, as long as it lives. */
const self = {
  pid: process.pid,
  start: startTime(process.pid),
  boot: (readAtOnce('/proc/sys/kernel/random/boot_id') ?? 'unknown').trim(),
};
/** A breaker that died leaves its directory; older than this it is ignored. */
const breakerStaleMs = 10_000;

/** Tries once to take the host's lock in `directory` for a run. */
export async function takeLock(directory: string, run: string): Promise<Taken> {
  const path = `${directory}/${name}`;
  const mine: Holder = { ...self, run };
  for (let attempt = 0; attempt < 3; attempt += 1) {
    if (await create(directory, path, mine)) return { free: true, release: () => release(path, mine) };
    const holder = readHolder(path);
    if (!holder) continue;
    if (isAlive(holder)) return { free: false, holder };
    await removeStale(path);
  }
  return { free: false, holder: readHolder(path) };
}

async function create(directory: string, path: string, mine: Holder): Promise<boolean> {
  const own = temporaryPath(path);
  await guarded('write', `lock this host in ${directory}`, async () => {
    mkdirSync(directory, { recursive: true });
    writeFileSync(own, JSON.stringify(mine), { flag: 'wx', mode: 0o644 });
  });
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    unlinkSync(own);
  }
}

/** Under the breaker directory only one process at a time looks again and removes. */
async function removeStale(path: string): Promise<void> {
  const breaker = `${path}.break`;
  try {
    await mkdir(breaker);
  } catch {
    const made = await lstat(breaker).catch(() => undefined);
    if (made && Date.now() - made.mtimeMs > breakerStaleMs) await discardDirectory(breaker);
    await pause(20);
    return;
  }
  try {
    const holder = readHolder(path);
    if (holder && !isAlive(holder)) await discardFile(path);
  } finally {
    await discardDirectory(breaker);
  }
}

async function release(path: string, mine: Holder): Promise<void> {
  const holder = readHolder(path);
  if (holder?.pid === mine.pid && holder.start === mine.start) await discardFile(path);
}

/** Who a lock names; undefined without a lock. What names nobody is a holder that is not alive, never a missing lock. */
function readHolder(path: string): Holder | undefined {
  const text = readAtOnce(path);
  if (text === undefined) return undefined;
  try {
    return { ...nobody, ...JSON.parse(text) };
  } catch {
    return nobody;
  }
}

function isAlive(holder: Holder): boolean {
  return holder.boot === self.boot && holder.start === startTime(holder.pid);
}

/** Field 22 of /proc/pid/stat (proc(5)): start time in clock ticks since boot; `gone` without such a process, or a dead one nobody reaped. */
function startTime(pid: number): string {
  const stat = readAtOnce(`/proc/${pid}/stat`) ?? '';
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? 'gone' : (fields[19] ?? 'gone');
}
