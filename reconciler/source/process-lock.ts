/**
 * A file that says which living process owns a directory, by pid and start time.
 * Invariant: at most one living process holds it; what a dead process left is taken over.
 * Never waits: the caller goes elsewhere when it is taken.
 */

import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';

export interface ProcessLock {
  release(): void;
}

const held = new Set<string>();

/** Takes the lock file, or gives undefined when a living process (or this one) has it. */
export function takeProcessLock(file: string): ProcessLock | undefined {
  if (held.has(file)) return undefined;
  if (!create(file) && !(removeStale(file) && create(file))) return undefined;
  held.add(file);
  return {
    release: () => {
      if (held.delete(file)) rmSync(file, { force: true });
    },
  };
}

/** Kernel ticks at which a process started; with the pid it names one process for ever. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

function create(file: string): boolean {
  const own = `${file}.${randomUUID()}`;
  writeFileSync(own, `${process.pid} ${startTime(process.pid) ?? ''}\n`, { mode: 0o600 });
  try {
    linkSync(own, file);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(own, { force: true });
  }
}

/** Moves the file aside before judging it, so that two who find it stale cannot both remove it. */
function removeStale(file: string): boolean {
  if (isAlive(readHolder(file))) return false;
  const aside = `${file}.${randomUUID()}`;
  try {
    renameSync(file, aside);
  } catch {
    return true;
  }
  const alive = isAlive(readHolder(aside));
  if (alive) linkSync(aside, file);
  rmSync(aside, { force: true });
  return !alive;
}

function readHolder(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function isAlive(holder: string): boolean {
  const [pid, started] = holder.trim().split(' ');
  if (pid === undefined || !/^\d+$/.test(pid)) return false;
  return startTime(Number(pid)) === started;
}
