/**
 * The command line as a child process, with a home and a state of its own, and everything it says kept.
 * Invariant: every wait has a deadline, and what it waited for is in the message when it passes.
 * Never lets a child outlive its test, also when the test fails.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, onTestFinished } from 'vitest';
import { type Problem, placed } from '../../agent/protocol/problem.ts';
import type { RunEvent, RunSummary } from '../../reconciler/base/event.ts';

const main = resolve(import.meta.dirname, '../../reconciler/main.ts');

/** An event of a run, or a problem that belongs to none. */
export type Said = RunEvent | { readonly type: 'problem'; readonly problem: Problem };

export interface Ended {
  /** 128 + number when a signal ended it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly said: readonly Said[];
  readonly problems: readonly Problem[];
  readonly milliseconds: number;
}

export interface Place {
  /** Directory or URL of the policy. */
  readonly repo: string;
  /** Where home and state of this caller are. */
  readonly folder: string;
}

/** A command that runs. */
export class Running {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';
  #over = false;
  readonly #watchers = new Set<() => void>();

  constructor(argv: readonly string[], place: Place) {
    const home = join(place.folder, 'home');
    mkdirSync(home, { recursive: true });
    const startedAt = performance.now();
    this.process = spawn(process.execPath, [main, ...argv, '--repo', place.repo], {
      cwd: place.folder,
      env: { PATH: process.env.PATH, HOME: home, XDG_STATE_HOME: join(place.folder, 'state') },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    onTestFinished(async () => {
      this.process.kill('SIGKILL');
      await this.ended;
    });
    this.process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      for (const look of this.#watchers) look();
    });
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      for (const look of this.#watchers) look();
    });
    this.ended = new Promise((done) => {
      this.process.once('close', (status, signal) => {
        this.#over = true;
        for (const look of this.#watchers) look();
        const { stdout, stderr } = this;
        const said = saidIn(stdout);
        done({
          status: signal === null ? (status ?? -1) : 128 + (signal === 'SIGKILL' ? 9 : 15),
          stdout,
          stderr,
          said,
          problems: said.flatMap(problemsOf),
          milliseconds: performance.now() - startedAt,
        });
      });
    });
  }

  get isOver(): boolean {
    return this.#over;
  }

  /** What it said so far. */
  get said(): readonly Said[] {
    return saidIn(this.stdout);
  }

  /** Waits until it has said something of the kind. */
  async until(isIt: (said: Said) => boolean, what: string, seconds = 30): Promise<void> {
    await this.when(() => this.said.some(isIt), what, seconds);
  }

  /** Waits until something holds; looks after every output and every 50 ms. */
  async when(holds: () => boolean, what: string, seconds = 30): Promise<void> {
    const { promise, resolve: go, reject } = Promise.withResolvers<void>();
    const tell = (): string => `${what}\n${this.stdout.slice(-3000)}\n${this.stderr.slice(-3000)}`;
    const look = (): void => {
      if (holds()) go();
      else if (this.#over) reject(new Error(`ended before: ${tell()}`));
    };
    const beat = setInterval(look, 50);
    const timer = setTimeout(() => reject(new Error(`not within ${seconds} s: ${tell()}`)), seconds * 1000);
    this.#watchers.add(look);
    look();
    try {
      await promise;
    } finally {
      clearInterval(beat);
      clearTimeout(timer);
      this.#watchers.delete(look);
    }
  }

  signal(name: 'SIGKILL' | 'SIGINT' | 'SIGTERM'): void {
    this.process.kill(name);
  }

  /** Waits for its end, at most so long; then it is killed and the wait fails. */
  async end(seconds = 60): Promise<Ended> {
    const late = pause(seconds * 1000, 'late' as const, { ref: false });
    const ended = await Promise.race([this.ended, late]);
    if (ended !== 'late') return ended;
    this.process.kill('SIGKILL');
    const { stdout, stderr } = await this.ended;
    throw new Error(`still running after ${seconds} s:\n${stdout.slice(-3000)}\n${stderr.slice(-3000)}`);
  }
}

/** Runs a command to its end. */
export function towline(argv: readonly string[], place: Place, seconds?: number): Promise<Ended> {
  return new Running(argv, place).end(seconds);
}

/** The problem with a code, checked for what every problem must have; the command's end is shown when it is missing. */
export function expectProblem(ended: Ended, code: string): Problem {
  const found = ended.problems.find((problem) => problem.code === code);
  expect(found, `${code} in:\n${ended.stdout}\n${ended.stderr}`).toBeDefined();
  expect(found?.message).not.toBe('');
  expect(found?.hint).not.toBe('');
  expectNoStack(ended);
  return found as Problem;
}

/** Nothing that was said looks like a stack trace. */
export function expectNoStack({ stdout, stderr }: Pick<Ended, 'stdout' | 'stderr'>): void {
  const traces = `${stdout}\n${stderr}`.split(/\n|\\n/).filter((line) => /^ {4}at /.test(line));
  expect(traces).toEqual([]);
}

/** How the last run ended. */
export function summaryOf(ended: Pick<Ended, 'said'>): RunSummary | undefined {
  const last = ended.said.findLast((each) => each.type === 'run-finished');
  return last?.type === 'run-finished' ? last.summary : undefined;
}

function saidIn(stdout: string): Said[] {
  return stdout.split('\n').flatMap((line) => {
    try {
      return line.startsWith('{') ? [JSON.parse(line) as Said] : [];
    } catch {
      return [];
    }
  });
}

function problemsOf(said: Said): Problem[] {
  if (said.type === 'problem' || said.type === 'host-failed') return withCauses(said.problem);
  if (said.type === 'run-finished') return said.summary.problem === undefined ? [] : [said.summary.problem];
  if (said.type !== 'host-finished') return [];
  const { host, role, result } = said;
  const reported = result.reports.map(({ problem, resource }) => problem && placed(problem, { resource }));
  return [result.problem, ...reported].flatMap((each) => (each ? [placed(each, { host, role })] : []));
}

function withCauses(problem: Problem): Problem[] {
  return [problem, ...(problem.cause === undefined ? [] : withCauses(problem.cause))];
}
