/**
 * Processes by number and start time, so that a number used again is never mistaken for the process we started.
 * Invariant: only a process whose start time still fits is signalled.
 * Never finds processes by name in order to end them.
 */

import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ProcessId {
  readonly pid: number;
  /** Clock ticks after the machine's start, from /proc. */
  readonly started: string;
}

/** What a host's process looks like from outside; `pid` counts in the machine's own numbering. */
export interface HostProcess {
  readonly pid: number;
  readonly name: string;
  readonly argv: readonly string[];
}

/** The process with this number now, if there is one that has not ended. */
export function identify(pid: number): ProcessId | undefined {
  const fields = statFields(pid);
  if (fields === undefined || fields[0] === 'Z' || fields[0] === 'X') return undefined;
  return { pid, started: fields[19] ?? '' };
}

export function alive(process: ProcessId): boolean {
  return identify(process.pid)?.started === process.started;
}

/** Ends a process for good and waits until it is gone. */
export async function end(id: ProcessId): Promise<void> {
  if (alive(id)) process.kill(id.pid, 'SIGKILL');
  for (let tries = 0; alive(id); tries += 1) {
    if (tries > 2000) throw new Error(`process ${id.pid} does not end`);
    await sleep(2);
  }
}

/** Ends a host by its carriers, keeper first in the list: the keeper goes by itself once it has buried the host's first process. */
export async function endCarriers(carriers: readonly ProcessId[]): Promise<void> {
  const [keeper, first] = carriers;
  if (first !== undefined) await end(first);
  for (let tries = 0; keeper !== undefined && alive(keeper) && tries < 500; tries += 1) await sleep(2);
  if (keeper !== undefined) await end(keeper);
}

/** Every process in the pid namespace of `first`. */
export function processesBeside(first: ProcessId): HostProcess[] {
  const namespace = namespaceOf(first.pid, 'pid');
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.flatMap((name) => {
    const pid = Number(name);
    return namespaceOf(pid, 'pid') === namespace && namespace !== undefined ? describe(pid) : [];
  });
}

/** Every process in one of the named network namespaces: what a fleet whose owner died early did not write down. */
export function processesInNetworks(names: readonly string[]): ProcessId[] {
  const wanted = new Set(
    names.map((name) => statSync(`/run/netns/${name}`, { throwIfNoEntry: false })?.ino).map(String),
  );
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids
    .filter((pid) => wanted.has(namespaceOf(Number(pid), 'net')?.match(/\d+/)?.[0] ?? ''))
    .flatMap((pid) => identify(Number(pid)) ?? []);
}

function describe(pid: number): HostProcess[] {
  try {
    const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
    return [{ pid, name: readFileSync(`/proc/${pid}/comm`, 'utf8').trim(), argv }];
  } catch {
    return [];
  }
}

function namespaceOf(pid: number, kind: 'pid' | 'net'): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`);
  } catch {
    return undefined;
  }
}

/** Fields of /proc/PID/stat from the state on; the name before it may hold anything. */
function statFields(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
