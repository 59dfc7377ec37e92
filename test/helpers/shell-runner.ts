/**
 * Runs command lines here through a shell of the test's choice, with an environment of the test's choice.
 * Invariant: the same streams and ends as a host's; what was started is killed when the test has finished.
 * Never used outside tests.
 */

import { spawn } from 'node:child_process';
import { onTestFinished } from 'vitest';
import { success } from '../../agent/protocol/problem.ts';
import type { Exit, RemoteProcess, Runner } from '../../reconciler/connection/line.ts';

export interface ShellOptions {
  /** The shell and what comes before the command line. */
  readonly shell?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Sees each process as it starts. */
  readonly onStart?: (process: RemoteProcess) => void;
}

/** A runner on this machine. */
export function shellRunner({ shell = ['/bin/sh', '-c'], env, onStart }: ShellOptions): Runner {
  return {
    async start(command) {
      const [program = '', ...words] = shell;
      const child = spawn(program, [...words, command], {
        env,
        stdio: ['pipe', 'pipe', 'pipe'],
        detached: true,
      });
      const exited = new Promise<Exit>((resolve) => {
        child.on('close', (status, signal) => resolve({ status, signal }));
        child.on('error', (error) => resolve({ status: null, signal: null, lost: error.message }));
      });
      // Killed before its input ends: a script that sees the end may still clean up.
      const kill = (): void => {
        try {
          process.kill(-(child.pid ?? 0), 'SIGKILL');
        } catch {
          // It ended already.
        }
        child.stdin.destroy();
      };
      onTestFinished(kill);
      const { stdin, stdout, stderr } = child;
      const started = { stdin, stdout, stderr, exited, kill, release: kill };
      onStart?.(started);
      return success(started);
    },
  };
}
