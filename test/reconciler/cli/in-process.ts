/**
 * The command line inside the test's process: arguments in, exit status and text out.
 * Invariant: the same program as `towline`; only the surroundings are values of the test.
 * Test code only.
 */

import { Writable } from 'node:stream';
import { systemClock } from '../../../reconciler/base/clock.ts';
import type { Surroundings } from '../../../reconciler/cli/command.ts';
import { runProgram } from '../../../reconciler/cli/program.ts';

export interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

class Screen extends Writable {
  text = '';
  columns: number | undefined;
  readonly isTTY: boolean;

  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
    this.columns = isTTY ? 80 : undefined;
  }

  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

export interface Place {
  readonly directory: string;
  readonly state: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly interrupted?: AbortSignal;
  readonly terminal?: boolean;
  /** Sees standard output as it grows. */
  readonly onOutput?: (text: string) => void;
}

/** Runs `towline` with these arguments. */
export async function towline(argv: readonly string[], place: Place): Promise<Ended> {
  const stdout = new Screen(place.terminal ?? false);
  const stderr = new Screen(false);
  const { onOutput } = place;
  if (onOutput !== undefined) {
    const write = stdout.write.bind(stdout);
    stdout.write = ((chunk: string) => {
      const isTaken = write(chunk);
      setImmediate(() => onOutput(stdout.text));
      return isTaken;
    }) as typeof stdout.write;
  }
  const surroundings: Surroundings = {
    stdout,
    stderr,
    environment: { TOWLINE_STATE: place.state, LANG: 'C.UTF-8', ...place.environment },
    directory: place.directory,
    home: place.state,
    user: process.env.USER ?? 'root',
    clock: systemClock,
    random: Math.random,
    interrupted: place.interrupted ?? new AbortController().signal,
    version: '0.0.0-test',
  };
  const status = await runProgram(argv, surroundings);
  return { status, stdout: stdout.text, stderr: stderr.text };
}

/** Lines of JSON; fails where one is not. */
export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
