/**
 * A real ssh-agent for one test file.
 * Invariant: ends with the test; holds only what the test adds.
 * Never the ssh-agent of the account that runs the tests.
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

export interface TestAgent {
  readonly socket: string;
  /** Adds key files; a certificate beside one is added too. */
  add(...files: readonly string[]): void;
  clear(): void;
  stop(): Promise<void>;
}

/** Starts an ssh-agent on a socket. */
export async function startAgent(socket: string): Promise<TestAgent> {
  const child: ChildProcess = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
  for (let tries = 0; tries < 500 && !existsSync(socket); tries += 1) await pause(10);
  const options = { env: { ...process.env, SSH_AUTH_SOCK: socket }, stdio: 'ignore' } as const;
  return {
    socket,
    add: (...files) => void execFileSync('ssh-add', ['-q', ...files], options),
    clear: () => void execFileSync('ssh-add', ['-q', '-D'], options),
    stop: async () => {
      const ended = new Promise((resolve) => child.once('close', resolve));
      child.kill();
      await ended;
    },
  };
}

/** Makes a key pair; `passphrase` encrypts it. */
export function makeKey(
  file: string,
  more: {
    readonly type?: string;
    readonly passphrase?: string;
    readonly format?: string;
    readonly comment?: string;
  } = {},
): string {
  const { type = 'ed25519', passphrase = '', format, comment = '' } = more;
  const form = format === undefined ? [] : ['-m', format];
  const size = type === 'rsa' ? ['-b', '2048'] : [];
  execFileSync('ssh-keygen', [
    '-q',
    '-t',
    type,
    ...size,
    ...form,
    '-N',
    passphrase,
    '-C',
    comment,
    '-f',
    file,
  ]);
  return file;
}
