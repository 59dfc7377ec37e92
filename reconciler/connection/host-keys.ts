/**
 * Decides whether a host's key is the host's: strict, accept-new, pinned or ignore, over known_hosts files.
 * Invariant: fails closed, a file that exists but cannot be read refuses every host; a changed key is never accepted.
 * Never asks a person.
 */

import { homedir } from 'node:os';
import { join } from 'node:path';
import { failure, type Problem, type Result, success } from '../../agent/protocol/problem.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import { connectionProblem } from '../base/problem-codes/connection.ts';
import { expandHome } from './home-path.ts';
import {
  fingerprint,
  judgeKey,
  type KnownHostLine,
  keyText,
  keyType,
  knownHostName,
  knownTypes,
} from './known-hosts.ts';
import { addKeys, readKnownHosts } from './known-hosts-file.ts';
import { quote } from './quote.ts';

export interface HostKeyOptions {
  /** known_hosts files in order; the first takes keys of accept-new. */
  readonly files: readonly string[];
  /** Loud news: a key that was accepted without being known. */
  readonly onWarning: (host: string, warning: string) => void;
}

/** Where OpenSSH looks too. */
export function defaultKnownHosts(home: string = homedir()): readonly string[] {
  return [join(home, '.ssh', 'known_hosts'), '/etc/ssh/ssh_known_hosts'];
}

/** Verifies one host's key during one handshake. */
export interface HostKeyVerifier {
  /** Algorithms for ssh2's serverHostKey, those of known keys first. */
  readonly algorithms: readonly string[];
  /** Undefined when the key may be trusted. */
  verify(blob: Buffer): Promise<Problem | undefined>;
}

/** Algorithms of host keys that we can verify, the best first. */
export const hostKeyAlgorithms = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
] as const;

/** What decides whether a host's key is trusted. */
export type TrustTarget = Pick<
  ConnectionSpec,
  'host' | 'address' | 'port' | 'hostKeys' | 'pinnedKeys' | 'ssh'
>;
type Target = TrustTarget;

/** The name under which known_hosts lists a host: its alias, else its address and port. */
export function trustName({ ssh, address, port }: TrustTarget): string {
  return ssh?.hostKeyAlias?.toLowerCase() ?? knownHostName(address, port);
}

/** The known_hosts files that count for a host. */
export function trustFiles({ ssh }: TrustTarget, options: Pick<HostKeyOptions, 'files'>): readonly string[] {
  return (ssh?.knownHostsFiles ?? options.files).map(expandHome);
}

/** The verifier for a host, from what the files say now. Fails when a file cannot be read. */
export async function hostKeyVerifier(
  target: Target,
  options: HostKeyOptions,
): Promise<Result<HostKeyVerifier>> {
  const name = trustName(target);
  if (target.hostKeys === 'pinned') return success(pinnedVerifier(target));
  if (target.hostKeys === 'ignore') return success(ignoringVerifier(target, options));
  const files = trustFiles(target, options);
  const read = await readLines(files, target.host);
  if (!read.ok) return read;
  return success({
    algorithms: orderAlgorithms(knownTypes(read.value, name)),
    verify: (blob) => judge({ target, name, files, lines: read.value, options }, blob),
  });
}

/** All usable algorithms, those for the given key types first. */
export function orderAlgorithms(types: readonly string[]): readonly string[] {
  const rank = (algorithm: string): number => {
    const place = types.indexOf(algorithm.startsWith('rsa-') ? 'ssh-rsa' : algorithm);
    return place === -1 ? types.length : place;
  };
  return [...hostKeyAlgorithms].sort((a, b) => rank(a) - rank(b));
}

interface Judging {
  readonly target: Target;
  readonly name: string;
  readonly files: readonly string[];
  readonly lines: readonly KnownHostLine[];
  readonly options: HostKeyOptions;
}

async function judge(judging: Judging, blob: Buffer): Promise<Problem | undefined> {
  const { target, name } = judging;
  const verdict = judgeKey(judging.lines, name, blob);
  const shown = keyText(blob);
  const where = { host: target.host };
  switch (verdict.name) {
    case 'known':
      return undefined;
    case 'unknown':
      if (target.hostKeys === 'accept-new') return acceptNew(judging, blob);
      return connectionProblem(
        'ssh.host-key-unknown',
        `${name} shows ${shown}, and ${judging.files.join(', ') || 'no known_hosts file'} does not list the host`,
        { where },
      );
    case 'changed':
      return connectionProblem(
        'ssh.host-key-changed',
        `${name} shows ${shown}, but ${placeOf(verdict.line)} lists ${keyText(Buffer.from(verdict.line.key, 'base64'))}`,
        {
          where: { ...where, file: verdict.line.file, line: verdict.line.line },
          hint: `If the host was really set up anew, remove the old key with \`${removal(verdict.line, name)}\`; otherwise someone may be in between.`,
        },
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
    algorithms: hostKeyAlgorithms,
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
  const { target, name, options, files } = judging;
  const file = files[0];
  if (file === undefined) return unreadable('(none)', 'no known_hosts file is configured', target.host);
  if (file === '/dev/null') {
    options.onWarning(target.host, `its key ${fingerprint(blob)} is new and is not remembered: ${file}`);
    return undefined;
  }
  try {
    const keys = { name, keys: [blob], hashed: target.ssh?.hashKnownHosts === true };
    const { before, added } = await addKeys(file, keys);
    if (added.length === 0) return judge({ ...judging, lines: before }, blob);
  } catch (error) {
    return unreadable(file, (error as Error).message, target.host);
  }
  options.onWarning(target.host, `its key ${fingerprint(blob)} is new and was added to ${file}`);
  return undefined;
}

async function readLines(files: readonly string[], host: string): Promise<Result<readonly KnownHostLine[]>> {
  let file = '';
  try {
    const lines: KnownHostLine[] = [];
    for (file of files) lines.push(...(await readKnownHosts([file])));
    return success(lines);
  } catch (error) {
    return failure(unreadable(file, (error as Error).message, host));
  }
}

/** The command that removes a line: by name where ssh-keygen finds it so, else by its number. */
export function removal({ hosts, file, line }: KnownHostLine, name: string): string {
  const isNamed = hosts.startsWith('|') || hosts.split(',').includes(name);
  return isNamed
    ? `ssh-keygen -R ${quote(name)} -f ${quote(file)}`
    : `sed -i ${quote(`${line}d`)} ${quote(file)}`;
}

/** Says each warning about a host once, however often its connection is opened. */
export function onceEach(onWarning: HostKeyOptions['onWarning']): HostKeyOptions['onWarning'] {
  const said = new Set<string>();
  return (host, warning) => {
    const key = `${host} ${warning}`;
    if (said.has(key)) return;
    said.add(key);
    onWarning(host, warning);
  };
}

function unreadable(file: string, message: string, host: string): Problem {
  return connectionProblem('ssh.known-hosts-unreadable', `${file}: ${message}`, { where: { host, file } });
}

function placeOf(line: KnownHostLine): string {
  return `${line.file}:${line.line}`;
}
