/**
 * argv → one command → exit status.
 * Invariant: the first interrupt lets the work in hand finish, the second ends the process; a defect is said, not thrown at people.
 * The only file that reads process.* and the only one that exits.
 */

import { createRequire } from 'node:module';
import { homedir, userInfo } from 'node:os';
import { systemClock } from './base/clock.ts';
import { exitStatus, type Surroundings } from './cli/command.ts';
import { runProgram } from './cli/program.ts';

const interrupted = new AbortController();

function interrupt(): void {
  if (interrupted.signal.aborted) process.exit(exitStatus.interrupted);
  interrupted.abort();
}

process.on('SIGINT', interrupt);
process.on('SIGTERM', interrupt);

/** Who reads our output may have seen enough, as `head` does; the work goes on. */
function onBroken(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}

process.stdout.on('error', onBroken);
process.stderr.on('error', onBroken);

const { version } = createRequire(import.meta.url)('../package.json') as { version: string };

const surroundings: Surroundings = {
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
  interrupt,
  environment: process.env,
  directory: process.cwd(),
  home: homedir(),
  user: userInfo().username,
  clock: systemClock,
  random: Math.random,
  interrupted: interrupted.signal,
  version,
};

try {
  process.exitCode = await runProgram(process.argv.slice(2), surroundings);
} catch (error) {
  process.stderr.write(`towline: a defect, please report it: ${String((error as Error).stack ?? error)}\n`);
  process.exitCode = exitStatus.failure;
}
