/**
 * The host lock between real processes.
 * Invariant: every process is a child of the test and ends before it does.
 * Never a timing assertion.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { takeLock } from '../../agent/lock.ts';
import { codeOf } from './test-host.ts';

const child = fileURLToPath(new URL('./lock-child.ts', import.meta.url));
const file = 'towline-converge.lock';
let directory = '';
let log = '';
const started: ChildProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'towline-lock-'));
  log = join(mkdtempSync(join(tmpdir(), 'towline-lock-log-')), 'log');
  writeFileSync(log, '');
});
afterEach(() => {
  for (const each of started.splice(0)) each.kill('SIGKILL');
  for (const path of [directory, join(log, '..')]) rmSync(path, { recursive: true, force: true });
});

function start(rounds: number, end: 'release' | 'hold' | 'die'): ChildProcess {
  const process_ = spawn(process.execPath, [child, directory, log, String(rounds), end], {
    stdio: 'inherit',
  });
  started.push(process_);
  return process_;
}

function ended(process_: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => process_.once('exit', resolve));
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Whether a log of ins and outs never has two in at once. */
function isExclusive(text: string): boolean {
  const lines = text.trim().split('\n');
  return lines.every((line, index) => {
    const [word, pid] = line.split(' ');
    return index % 2 === 0 ? word === 'in' : line === `out ${lines[index - 1]?.split(' ')[1]}` && pid !== '';
  });
}

describe('the host lock', () => {
  it('is free once, then names its holder, and is free again after its release', async () => {
    const first = await takeLock(directory, 'run-1');
    expect(first.free).toBe(true);
    const second = await takeLock(directory, 'run-2');
    expect(second).toMatchObject({ free: false, holder: { pid: process.pid, run: 'run-1' } });
    if (first.free) await first.release();
    expect(readdirSync(directory)).toEqual([]);
    const third = await takeLock(directory, 'run-3');
    if (third.free) await third.release();
    expect(third.free).toBe(true);
  });

  it('makes its directory where there is none', async () => {
    const taken = await takeLock(join(directory, 'a/b'), 'run');
    expect(taken.free).toBe(true);
    if (taken.free) await taken.release();
  });

  it('answers with a problem where it cannot be written', async () => {
    writeFileSync(join(directory, 'plain'), '');
    expect(await codeOf(takeLock(join(directory, 'plain'), 'run'))).toBe('file.wrong-type');
  });

  it('is held by a living process and taken over when that was killed', async () => {
    const holder = start(1, 'hold');
    await until(() => readFileSync(log, 'utf8') !== '');
    const busy = await takeLock(directory, 'mine');
    expect(busy).toMatchObject({ free: false, holder: { pid: holder.pid } });
    const gone = ended(holder);
    holder.kill('SIGKILL');
    await gone;
    const taken = await takeLock(directory, 'mine');
    expect(taken.free).toBe(true);
    if (taken.free) await taken.release();
  });

  it.each([
    ['of an earlier boot', { boot: 'another boot' }],
    ['of a process id that another process has now', { start: '1' }],
    ['that names nobody', undefined],
  ])('is taken over from a lock %s', async (_title, stale) => {
    const first = await takeLock(directory, 'run-1');
    expect(first.free).toBe(true);
    const path = join(directory, file);
    const holder: unknown = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(
      path,
      stale === undefined ? 'no json' : JSON.stringify({ ...(holder as object), ...stale }),
    );
    const taken = await takeLock(directory, 'run-2');
    expect(taken.free).toBe(true);
    if (taken.free) await taken.release();
    expect(readdirSync(directory)).toEqual([]);
  });

  it('is never held by two of ten processes that want it at once, some of which die with it', async () => {
    mkdirSync(directory, { recursive: true });
    const dying = [start(1, 'die'), start(1, 'die')].map(ended);
    const takers = Array.from({ length: 8 }, () => start(12, 'release')).map(ended);
    await Promise.all([...dying, ...takers]);
    const lines = readFileSync(log, 'utf8').trim().split('\n');
    const dead = lines.filter((line) => !lines.includes(line.replace('in', 'out')));
    const rest = lines.filter((line) => !dead.includes(line));
    expect(dead.length).toBe(2);
    expect(rest.length).toBe(8 * 12 * 2);
    expect(isExclusive(rest.join('\n'))).toBe(true);
    expect(readdirSync(directory)).toEqual([]);
  });
});
