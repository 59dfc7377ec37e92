/**
 * The command line as a person runs it: a process of its own, with a state folder of its own.
 * Invariant: nothing of the account that runs the tests is read or written.
 * Never used where a function can be called instead.
 */

import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `towline` in a folder; `home` is where it keeps its state. */
export function runTowline(
  argv: readonly string[],
  { directory, home }: { readonly directory: string; readonly home: string },
): Promise<Ran> {
  const child = spawn(process.execPath, [join(root, 'reconciler/main.ts'), ...argv], {
    cwd: directory,
    env: { PATH: process.env.PATH, HOME: home, XDG_STATE_HOME: join(home, 'state'), LANG: 'C.UTF-8' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (bytes: Buffer) => {
    stdout += bytes.toString();
  });
  child.stderr.on('data', (bytes: Buffer) => {
    stderr += bytes.toString();
  });
  return new Promise((done) => child.once('close', (status) => done({ status, stdout, stderr })));
}
