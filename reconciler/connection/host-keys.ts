/**
 * Decides whether a host's key is the host's: strict, accept-new, pinned or ignore, over known_hosts files.
 * Invariant: fails closed, a file that exists but cannot be read refuses every host; a changed key is never accepted.
 * Never asks a person.
 */

import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { failure, type Problem, type Result, success } from '../../agent/protocol/problem.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import { connectionProblem } from '../base/problem-codes/connection.ts';
import {
  fingerprint,
  judgeKey,
  type KnownHostLine,
  keyType,
  knownHostName,
  knownTypes,
  parseKnownHosts,
} from './known-hosts.ts';

export interface HostKeyOptions {
  /** known_hosts files in order; the first takes keys of accept-new. */
  readonly files: readonly string[];
  /** Loud news: a key that was accepted without being known. */
  readonly onWarning: (host: string, warning: string) => void;
}

/** Where OpenSSH looks too. */
export function defaultKnownHosts(): readonly string[] {
  return [join(homedir(), '.ssh', 'known_hosts'), '/etc/ssh/ssh_known_hosts'];
}

/** Verifies one host's key during one handshake. */
export interface HostKeyVerifier {
  /** Algorithms for ssh2's serverHostKey, those of known keys first. */
  readonly algorithms: readonly string[];
  /** Undefined when the key may be trusted. */
  verify(blob: Buffer): Promise<Problem | undefined>;
}

const allAlgorithms = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
] as const;

type Target = Pick<ConnectionSpec, 'host' | 'address' | 'port' | 'hostKeys' | 'pinnedKeys'>;

/** The verifier for a host, from what the files say now. Fails when a file cannot be read. */
export async function hostKeyVerifier(
  target: Target,
  options: HostKeyOptions,
): Promise<Result<HostKeyVerifier>> {
  const name = knownHostName(target.address, target.port);
  if (target.hostKeys === 'pinned') return success(pinnedVerifier(target));
  if (target.hostKeys === 'ignore') return success(ignoringVerifier(target, options));
  const read = await readLines(options.files, target.host);
  if (!read.ok) return read;
  return success({
    algorithms: orderAlgorithms(knownTypes(read.value, name)),
    verify: (blob) => judge({ target, name, lines: read.value, options }, blob),
  });
}

/** All usable algorithms, those for the given key types first. */
export function orderAlgorithms(types: readonly string[]): readonly string[] {
  const rank = (algorithm: string): number => {
    const place = types.indexOf(algorithm.startsWith('rsa-') ? 'ssh-rsa' : algorithm);
    return place === -1 ? types.length : place;
  };
  return [...allAlgorithms].sort((a, b) => rank(a) - rank(b));
}

interface Judging {
  readonly target: Target;
  readonly name: string;
  readonly lines: readonly KnownHostLine[];
  readonly options: HostKeyOptions;
}

async function judge(judging: Judging, blob: Buffer): Promise<Problem | undefined> {
  const { target, name } = judging;
  const verdict = judgeKey(judging.lines, name, blob);
  const shown = `${keyType(blob.toString('base64')) ?? 'key'} ${fingerprint(blob)}`;
  const where = { host: target.host };
  switch (verdict.name) {
    case 'known':
      return undefined;
    case 'unknown':
      if (target.hostKeys === 'accept-new') return acceptNew(judging, blob);
      return connectionProblem(
        'ssh.host-key-unknown',
        `${name} shows ${shown}, and ${judging.options.files.join(', ')} do not list the host`,
        { where },
      );
    case 'changed':
      return connectionProblem(
        'ssh.host-key-changed',
        `${name} shows ${shown}, but ${placeOf(verdict.line)} lists ${verdict.line.type} ${fingerprint(Buffer.from(verdict.line.key, 'base64'))}`,
        { where: { ...where, file: verdict.line.file, line: verdict.line.line } },
      );
    case 'revoked':
      return connectionProblem(
        'ssh.host-key-revoked',
        `${name} shows ${shown}, revoked at ${placeOf(verdict.line)}`,
        {
          where: { ...where, file: verdict.line.file, line: verdict.line.line },
        },
      );
    case 'authority':
      return connectionProblem(
        'ssh.host-ca-unsupported',
        `${name} is listed only by the certificate authority at ${placeOf(verdict.line)}`,
        { where: { ...where, file: verdict.line.file, line: verdict.line.line } },
      );
    default:
      return verdict satisfies never;
  }
}

function pinnedVerifier(target: Target): HostKeyVerifier {
  const pins = target.pinnedKeys.map((pin) => pin.trim().split(/\s+/).slice(0, 2).join(' '));
  return {
    algorithms: orderAlgorithms(pins.map((pin) => pin.split(' ')[0] ?? '')),
    verify: async (blob) => {
      const key = blob.toString('base64');
      if (pins.includes(`${keyType(key)} ${key}`)) return undefined;
      return connectionProblem(
        'ssh.host-key-not-pinned',
        `${target.address} shows ${keyType(key)} ${fingerprint(blob)}, which is none of the ${pins.length} pinned keys`,
        { where: { host: target.host } },
      );
    },
  };
}

function ignoringVerifier(target: Target, options: HostKeyOptions): HostKeyVerifier {
  return {
    algorithms: allAlgorithms,
    verify: async (blob) => {
      options.onWarning(
        target.host,
        `its key ${fingerprint(blob)} was not checked (towline_host_keys is ignore): anyone in between could read and change everything`,
      );
      return undefined;
    },
  };
}

async function acceptNew(judging: Judging, blob: Buffer): Promise<Problem | undefined> {
  const { target, name, options } = judging;
  const file = options.files[0];
  if (file === undefined) return unreadable('(none)', 'no known_hosts file is configured', target.host);
  try {
    const known = await appendLocked(file, name, blob);
    if (known !== undefined) return judge({ ...judging, lines: known }, blob);
  } catch (error) {
    return unreadable(file, (error as Error).message, target.host);
  }
  options.onWarning(target.host, `its key ${fingerprint(blob)} is new and was added to ${file}`);
  return undefined;
}

/** Adds a line under a lock; when another process listed the host meanwhile, gives the lines of the file instead. */
async function appendLocked(
  file: string,
  name: string,
  blob: Buffer,
): Promise<readonly KnownHostLine[] | undefined> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const lock = await takeLock(`${file}.towline-lock`);
  try {
    const text = await readFile(file, 'utf8').catch(emptyIfMissing);
    const lines = parseKnownHosts(file, text);
    if (judgeKey(lines, name, blob).name !== 'unknown') return lines;
    const key = blob.toString('base64');
    const handle = await open(file, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, 0o600);
    try {
      const gap = text === '' || text.endsWith('\n') ? '' : '\n';
      await handle.write(`${gap}${name} ${keyType(key)} ${key}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    return undefined;
  } finally {
    await lock.close();
    await rm(`${file}.towline-lock`, { force: true });
  }
}

const lockTries = 100;
const staleLockMilliseconds = 10_000;

async function takeLock(path: string): Promise<FileHandle> {
  for (let attempt = 0; attempt < lockTries; attempt += 1) {
    try {
      return await open(path, 'wx', 0o600);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const held = await stat(path).catch(() => undefined);
    const now = performance.timeOrigin + performance.now();
    if (held !== undefined && now - held.mtimeMs > staleLockMilliseconds) await rm(path, { force: true });
    await pause(20);
  }
  throw new Error(`${path} is held by another process`);
}

async function readLines(files: readonly string[], host: string): Promise<Result<readonly KnownHostLine[]>> {
  const lines: KnownHostLine[] = [];
  for (const file of files) {
    try {
      lines.push(...parseKnownHosts(file, await readFile(file, 'utf8').catch(emptyIfMissing)));
    } catch (error) {
      return failure(unreadable(file, (error as Error).message, host));
    }
  }
  return success(lines);
}

function emptyIfMissing(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return '';
  throw error;
}

function unreadable(file: string, message: string, host: string): Problem {
  return connectionProblem('ssh.known-hosts-unreadable', `${file}: ${message}`, { where: { host, file } });
}

function placeOf(line: KnownHostLine): string {
  return `${line.file}:${line.line}`;
}
