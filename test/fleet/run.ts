/**
 * Runs one program to its end and gives everything it said.
 * Invariant: arguments are a list, never a shell line; a time limit always holds.
 * Never throws for an exit status; `must` does.
 */

import { spawn } from 'node:child_process';

export interface Ran {
  /** Exit status; 128 + signal number is not imitated: a killed program has -1. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Buffer;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly timeoutMs?: number;
}

/** Runs to the end, whatever the status. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env: options.env,
      cwd: options.cwd,
      timeout: options.timeoutMs ?? 60_000,
      killSignal: 'SIGKILL',
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (data: Buffer) => out.push(data));
    child.stderr.on('data', (data: Buffer) => err.push(data));
    child.on('error', reject);
    child.on('close', (status) => {
      resolve({
        status: status ?? -1,
        stdout: String(Buffer.concat(out)),
        stderr: String(Buffer.concat(err)),
      });
    });
    // A program may end without reading; its status says what happened, not the broken pipe.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input);
  });
}

/** Runs to the end and refuses any status but 0, with what the program said. */
export async function must(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const ran = await run(command, args, options);
  if (ran.status !== 0)
    throw new Error(`${command} ${args.join(' ')} ended with ${ran.status}: ${ran.stderr.trim()}`);
  return ran.stdout;
}
