/**
 * Runs the agent's command here, as a child process: the connection kind `local`.
 * Invariant: same streams and ends as over ssh; the child leads its own process group and ends with it.
 * Never asks for a terminal: none can be given here.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { failure, type Problem, type Result, success } from '../../agent/protocol/problem.ts';
import { connectionProblem } from '../base/problem-codes/connection.ts';
import type { Exit, RemoteProcess, Runner, StartOptions } from './line.ts';

export const localRunner: Runner = {
  async start(command: string, options: StartOptions): Promise<Result<RemoteProcess>> {
    if (options.pty) {
      return failure(noTerminal('here'));
    }
    return success(startHere(command));
  },
};

/** The problem of what needs a terminal where none is. */
export function noTerminal(place: string): Problem {
  return connectionProblem(
    'become.tty-required',
    `doas takes a password only from a terminal, and there is none ${place}`,
    { hint: 'Allow doas without a password (nopass), or become with sudo.' },
  );
}

/** Milliseconds a released agent may take for the resource in hand. */
const releaseGrace = 60_000;

function startHere(command: string): RemoteProcess {
  const child = spawn('/bin/sh', ['-c', command], { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  // A program need not read what it is sent; how it ended says what there is to say.
  child.stdin.on('error', () => {});
  const exited = new Promise<Exit>((resolve) => {
    child.on('close', (status, signal) => resolve({ status, signal }));
    child.on('error', (error) => resolve({ status: null, signal: null, lost: error.message }));
  });
  const kill = (): void => {
    child.stdin.destroy();
    endGroup(child);
  };
  const release = (): void => {
    child.stdin.destroy();
    child.stdout.destroy();
    child.stderr.destroy();
    const timer = setTimeout(() => endGroup(child), releaseGrace).unref();
    child.once('exit', () => clearTimeout(timer));
  };
  return { stdin: child.stdin, stdout: child.stdout, stderr: child.stderr, exited, kill, release };
}

/** The child leads a group of its own, so what it started ends with it. */
function endGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    child.kill('SIGKILL');
  }
}
