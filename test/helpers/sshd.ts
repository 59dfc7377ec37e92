/**
 * A real OpenSSH server on a loopback port for one test file, with keys and configuration in a temporary folder.
 * Invariant: ends with the test; touches nothing of the machine but /run/sshd, which sshd demands of root.
 * Lets in the account that runs the tests, by one generated key.
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { childrenOf } from './processes.ts';

const program = '/usr/sbin/sshd';

/** Whether this machine has an OpenSSH server to test against. */
export const hasSshd: boolean = existsSync(program);

export interface Sshd {
  readonly port: number;
  readonly user: string;
  readonly keyFile: string;
  /** `type base64`. */
  readonly hostKey: string;
  readonly process: ChildProcess;
  /** Pids of the processes that serve connections. */
  children(): readonly number[];
  stop(): Promise<void>;
}

/** Starts a server; `settings` are lines of sshd_config. What it says goes to `log` in the folder. */
export async function startSshd(folder: string, settings: readonly string[] = []): Promise<Sshd> {
  mkdirSync(folder, { recursive: true });
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const keyFile = join(folder, 'client');
  const hostKeyFile = join(folder, 'host');
  for (const file of [keyFile, hostKeyFile]) {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', file]);
  }
  writeFileSync(join(folder, 'authorized'), readFileSync(`${keyFile}.pub`));
  const port = await freePort();
  // Of most settings the first counts, of this one the last.
  const startups = settings.some((line) => line.startsWith('MaxStartups')) ? [] : ['MaxStartups 100'];
  const config = [
    ...settings,
    ...startups,
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${hostKeyFile}`,
    `AuthorizedKeysFile ${join(folder, 'authorized')}`,
    `PidFile ${join(folder, 'pid')}`,
    'StrictModes no',
    'PermitRootLogin yes',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'UsePAM no',
    'PrintMotd no',
  ];
  writeFileSync(join(folder, 'config'), `${config.join('\n')}\n`);
  const argv = ['-D', '-E', join(folder, 'log'), '-f', join(folder, 'config')];
  const child = spawn(program, argv, { stdio: 'ignore' });
  await listening(port);
  return {
    port,
    user: userInfo().username,
    keyFile,
    hostKey: readFileSync(`${hostKeyFile}.pub`, 'utf8').trim().split(' ').slice(0, 2).join(' '),
    process: child,
    children: () => childrenOf(child.pid ?? 0),
    stop: () => stopAll(child),
  };
}

async function stopAll(child: ChildProcess): Promise<void> {
  const own = childrenOf(child.pid ?? 0);
  for (const pid of [...own.flatMap((pid) => [...childrenOf(pid)]), ...own]) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGKILL');
  await ended;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function listening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (open) return;
    await pause(25);
  }
  throw new Error(`sshd does not listen on ${port}`);
}
