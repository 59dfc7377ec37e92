/**
 * The command line inside the test: a directory, a home and streams of its own.
 * Invariant: nothing of the account that runs the tests is read or written.
 * Never used where a function can be called instead.
 */

import { Writable } from 'node:stream';
import { systemClock } from '../../reconciler/base/clock.ts';
import { runProgram } from '../../reconciler/cli/program.ts';

export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Around {
  readonly directory: string;
  /** Where it keeps its state. */
  readonly home: string;
  readonly interrupted?: AbortSignal | undefined;
  /** Sees standard output as it comes, all of it so far. */
  readonly onOutput?: ((text: string) => void) | undefined;
  readonly environment?: Readonly<Record<string, string>> | undefined;
}

/** Runs `towline` with these arguments. */
export async function runCommand(argv: readonly string[], around: Around): Promise<Ran> {
  const { directory, home, environment, interrupted = new AbortController().signal } = around;
  const said = { stdout: '', stderr: '' };
  const stream = (name: 'stdout' | 'stderr'): Writable =>
    new Writable({
      write(bytes, _encoding, done) {
        said[name] += String(bytes);
        if (name === 'stdout') around.onOutput?.(said.stdout);
        done();
      },
    });
  const status = await runProgram(argv, {
    stdout: stream('stdout'),
    stderr: stream('stderr'),
    environment: { LANG: 'C.UTF-8', ...environment },
    directory,
    home,
    user: 'tester',
    clock: systemClock,
    random: Math.random,
    interrupted,
    version: '0.0.0',
  });
  return { status, ...said };
}
