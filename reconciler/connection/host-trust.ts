/**
 * What `towline hosts trust` does on the line: sees hosts' keys, compares them with known_hosts, and records new ones.
 * Invariant: a key that differs from a known one is never recorded; every hop of a way is verified before it is gone through.
 * Never asks and never shows anything.
 */

import { failure, type Problem, type Result, success } from '../../agent/protocol/problem.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import { connectionProblem } from '../base/problem-codes/connection.ts';
import { Gate } from './gate.ts';
import { removal, trustFiles, trustName } from './host-keys.ts';
import { judgeKey, type KnownHostLine } from './known-hosts.ts';
import { addKeys, readKnownHosts } from './known-hosts-file.ts';
import { connectionKey } from './spec-key.ts';
import type { SshOptions } from './ssh.ts';
import type { SshConfig } from './ssh-config.ts';
import { type ConnectionUse, SshConnections } from './ssh-connections.ts';

export interface KeyFinding {
  readonly key: Buffer;
  readonly state: 'new' | 'known' | 'changed' | 'revoked';
  /** The line that says so. */
  readonly line?: KnownHostLine | undefined;
  /** The command that removes the line of a changed key. */
  readonly removal?: string | undefined;
}

/** What is known of a host's keys. */
export interface TrustSurvey {
  readonly host: string;
  /** As known_hosts names it. */
  readonly name: string;
  /** Where new keys are recorded. */
  readonly file: string;
  readonly keys: readonly KeyFinding[];
  readonly spec: ConnectionSpec;
  /** Why there is nothing to record for this host, where that is as it should be. */
  readonly skipped?: string | undefined;
  readonly problem?: Problem | undefined;
}

export interface HostTrustOptions {
  readonly ssh: SshOptions;
  readonly sshConfig: SshConfig;
  readonly atOnce: number;
}

export class HostTrust {
  readonly #options: HostTrustOptions;
  /** Those that could not be reached, too: each is tried once. */
  readonly #parents = new Map<string, Promise<Result<ConnectionUse>>>();
  readonly #gate: Gate;
  readonly #connections: SshConnections;

  constructor(options: HostTrustOptions) {
    this.#options = options;
    this.#gate = new Gate(options.atOnce);
    this.#connections = new SshConnections(options.ssh, this.#gate, connectionKey);
  }

  /**
   * The hosts of these specs and of the ways to them, each once, in rounds: what a later round goes through was
   * in an earlier one.
   */
  async rounds(specs: readonly ConnectionSpec[]): Promise<{
    readonly rounds: readonly (readonly ConnectionSpec[])[];
    readonly problems: readonly Problem[];
  }> {
    const rounds: Map<string, ConnectionSpec>[] = [];
    const problems: Problem[] = [];
    const place = (spec: ConnectionSpec): number => {
      const depth = spec.via === undefined ? 0 : place(spec.via) + 1;
      rounds[depth] ??= new Map();
      const key = JSON.stringify([spec.host, trustName(spec), this.#files(spec)[0]]);
      if (!rounds[depth].has(key)) rounds[depth].set(key, spec);
      return depth;
    };
    for (const spec of specs) {
      const resolved = await this.#options.sshConfig.resolve(ownTransport(spec));
      if (resolved.ok) place(resolved.value);
      else problems.push(resolved.problem);
    }
    return { rounds: rounds.map((round) => [...round.values()]), problems };
  }

  /** Sees a host's keys and compares them. */
  async survey(spec: ConnectionSpec): Promise<TrustSurvey> {
    const name = trustName(spec);
    const file = this.#files(spec)[0] ?? '';
    const about = { host: spec.host, name, file, keys: [], spec };
    const skipped = skipReason(spec, file);
    if (skipped !== undefined) return { ...about, skipped };
    const keys = await this.#scan(spec);
    if (!keys.ok) return { ...about, problem: placedAt(keys.problem, spec.host) };
    try {
      const lines = await readKnownHosts(this.#files(spec));
      return { ...about, keys: judgeKeys(lines, name, keys.value) };
    } catch (error) {
      return { ...about, problem: unreadable(spec.host, file, error) };
    }
  }

  /** Records the new keys of a survey, as far as they are new still; gives how many were. */
  async record({ spec, host, name, file, keys }: TrustSurvey): Promise<Result<number>> {
    const fresh = keys.filter(({ state }) => state === 'new').map(({ key }) => key);
    try {
      const others = await readKnownHosts(this.#files(spec).slice(1));
      const isNew = (lines: readonly KnownHostLine[], key: Buffer): boolean => {
        const all = keys.map((finding) => finding.key);
        const now = judgeKeys([...lines, ...others], name, all);
        const isSafe = now.every(({ state }) => state === 'new' || state === 'known');
        return isSafe && now.some((finding) => finding.key === key && finding.state === 'new');
      };
      const hashed = spec.ssh?.hashKnownHosts === true;
      return success((await addKeys(file, { name, keys: fresh, hashed }, isNew)).added.length);
    } catch (error) {
      return failure(unreadable(host, file, error));
    }
  }

  /** Ends the connections to parents. */
  async close(): Promise<void> {
    for (const parent of await Promise.all(this.#parents.values())) if (parent.ok) parent.value.release();
  }

  #files(spec: ConnectionSpec): readonly string[] {
    return trustFiles(spec, this.#options.ssh.hostKeys);
  }

  async #scan(spec: ConnectionSpec): Promise<Result<readonly Buffer[]>> {
    const { scanHostKeys } = await import('./host-key-scan.ts');
    if (spec.via === undefined) return this.#gate.pass(() => scanHostKeys(spec, this.#options.ssh));
    const parent = await this.#parent(spec.via);
    if (!parent.ok) return parent;
    return this.#gate.pass(() => scanHostKeys(spec, this.#options.ssh, parent.value.connection));
  }

  /** One connection to each parent, kept until the end. */
  #parent(spec: ConnectionSpec): Promise<Result<ConnectionUse>> {
    const key = connectionKey(spec);
    const known = this.#parents.get(key) ?? this.#connections.use(spec);
    this.#parents.set(key, known);
    return known;
  }
}

/** What the lines say of keys that one host shows together. */
export function judgeKeys(
  lines: readonly KnownHostLine[],
  name: string,
  keys: readonly Buffer[],
): readonly KeyFinding[] {
  const verdicts = keys.map((key) => ({ key, verdict: judgeKey(lines, name, key) }));
  const isKnown = verdicts.some(({ verdict }) => verdict.name === 'known');
  return verdicts.map(({ key, verdict }): KeyFinding => {
    switch (verdict.name) {
      case 'known':
        return { key, state: 'known' };
      case 'revoked':
        return { key, state: 'revoked', line: verdict.line };
      case 'changed':
        // A type that no line has, beside a key that a line has: the host is the one we know, and has this key too.
        if (isKnown && !verdict.sameType) return { key, state: 'new' };
        return { key, state: 'changed', line: verdict.line, removal: removal(verdict.line, name) };
      case 'unknown':
      case 'authority':
        return { key, state: 'new' };
      default:
        return verdict satisfies never;
    }
  });
}

/** We look at the keys ourselves, whoever connects later. */
function ownTransport(spec: ConnectionSpec): ConnectionSpec {
  const via = spec.via === undefined ? undefined : ownTransport(spec.via);
  return { ...spec, via, transport: 'ssh' };
}

function skipReason(spec: ConnectionSpec, file: string): string | undefined {
  if (spec.kind !== 'ssh') return `it is reached by ${spec.kind}, which has no host keys`;
  for (let hop = spec.via; hop !== undefined; hop = hop.via) {
    if (hop.kind !== 'ssh') return `${hop.host} reaches it, with the known_hosts of its own`;
    if (hop.relay === true) return `the relay ${hop.host} reaches it, with the known_hosts of its own`;
  }
  if (spec.hostKeys === 'pinned') return 'its keys are pinned in the inventory';
  if (file === '' || file === '/dev/null') return `nothing can be recorded in ${file || 'no file at all'}`;
  return undefined;
}

function placedAt(problem: Problem, host: string): Problem {
  return { ...problem, where: { ...problem.where, host } };
}

function unreadable(host: string, file: string, error: unknown): Problem {
  const message = `${file}: ${(error as Error).message}`;
  return connectionProblem('ssh.known-hosts-unreadable', message, { where: { host, file } });
}
