/**
 * A reconciler that runs beside a test: its events as they come, and waits that end.
 * Invariant: every wait has a deadline and fails with the last events and what was said on standard error.
 * Never leaves the process behind: `stop` ends it, by force when it does not end by itself.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Line } from './towline.ts';

/** How long a wait lasts unless the test says otherwise. */
const usualSeconds = 20;
const graceMs = 10_000;

export class ReconcilerProcess {
  readonly lines: Line[] = [];
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  #stderr = '';
  #look: () => void = () => {};

  constructor(command: string, args: readonly string[], options: { cwd: string; env: NodeJS.ProcessEnv }) {
    this.#child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#closed = once(this.#child, 'close').then(() => this.#look());
    this.#child.stderr?.on('data', (data: Buffer) => {
      this.#stderr += String(data);
    });
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      this.lines.push(JSON.parse(line) as Line);
      this.#look();
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Waits until `find` finds something in the lines so far. */
  async until<T>(
    what: string,
    find: (lines: readonly Line[]) => T | undefined,
    seconds = usualSeconds,
  ): Promise<T> {
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
      const found = find(this.lines);
      if (found !== undefined) return found;
      const left = deadline - Date.now();
      const isOver = this.#child.exitCode !== null || this.#child.signalCode !== null;
      if (left <= 0 || isOver) throw new Error(`no ${what}${isOver ? ', it ended' : ''}: ${this.#tail()}`);
      await this.#more(left);
    }
  }

  /** All lines of the first finished run that took this revision; a run it was cancelled in does not count. */
  run(revision: string, seconds?: number): Promise<readonly Line[]> {
    return this.until(`end of a run of ${revision}`, (lines) => runsOf(lines, revision)[0], seconds);
  }

  /** All lines of the first finished run after `mark` (a number of lines) that fits. */
  runAfter(
    mark: number,
    fits: (run: readonly Line[]) => boolean,
    seconds?: number,
  ): Promise<readonly Line[]> {
    const find = (lines: readonly Line[]): readonly Line[] | undefined =>
      finishedRuns(lines.slice(mark)).find(fits);
    return this.until('run that fits', find, seconds);
  }

  /** Asks it to end and gives its exit status. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill(signal);
    return this.ended();
  }

  /** Waits for its end; kills it when it takes too long. */
  async ended(milliseconds = graceMs): Promise<number | null> {
    const force = setTimeout(() => this.#child.kill('SIGKILL'), milliseconds);
    await this.#closed;
    clearTimeout(force);
    return this.#child.exitCode;
  }

  #more(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#look = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #tail(): string {
    return `${this.lines
      .slice(-15)
      .map((line) => JSON.stringify(line).slice(0, 600))
      .join('\n')}\n${this.#stderr}`;
  }
}

/** The lines of each run that has ended and was not cancelled. */
export function finishedRuns(lines: readonly Line[]): (readonly Line[])[] {
  return lines.flatMap((line) => {
    if (line.type !== 'run-finished' || line.summary.outcome === 'cancelled') return [];
    return [lines.filter((each) => 'run' in each && each.run === line.run)];
  });
}

function runsOf(lines: readonly Line[], revision: string): (readonly Line[])[] {
  return finishedRuns(lines).filter((run) =>
    run.some((line) => line.type === 'revision' && line.revision.id === revision),
  );
}
