/**
 * Keeps ssh connections while something uses them: contexts of several accounts and connections through them share one.
 * Invariant: one attempt per connection however many ask; a failed attempt is not remembered; parents outlive children.
 * Never reopens by itself.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { failure, type Result, success } from '../../agent/protocol/problem.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import { pauseAfter } from './connect-pace.ts';
import type { Gate } from './gate.ts';
import type { MeasuredLine, Runner } from './line.ts';
import { isDropped, LoginGates } from './login-gates.ts';
import { SpreadRunner } from './spread-runner.ts';
import type { SshOptions } from './ssh.ts';
import type { SshConnection } from './ssh-connection.ts';

/** The use of a way to an account, until released. */
export interface Lease {
  readonly connection: Runner;
  /** The first connection that commands run over. */
  readonly line: MeasuredLine;
  release(): void;
}

/** The use of one connection, until released. */
export interface ConnectionUse {
  readonly connection: SshConnection;
  release(): void;
}

export interface LoginLimits {
  /** Logins through one bastion at once. */
  readonly perBastion: number;
  /** Tries of a login that the server drops before it says anything. */
  readonly tries: number;
  /** In [0, 1). */
  readonly random: () => number;
}

const usualLimits: LoginLimits = { perBastion: 16, tries: 3, random: Math.random };

interface Kept {
  readonly opened: Promise<Result<SshConnection>>;
  users: number;
}

export class SshConnections {
  readonly #options: SshOptions;
  readonly #gates: LoginGates;
  readonly #keyOf: (spec: ConnectionSpec) => string;
  readonly #limits: LoginLimits;
  readonly #kept = new Map<string, Kept>();

  constructor(
    options: SshOptions,
    gate: Gate,
    keyOf: (spec: ConnectionSpec) => string,
    limits: LoginLimits = usualLimits,
  ) {
    this.#options = options;
    this.#gates = new LoginGates(gate, limits.perBastion);
    this.#keyOf = keyOf;
    this.#limits = limits;
  }

  /** A way to run commands as this login, over a connection that is opened when there is none. */
  async acquire(spec: ConnectionSpec): Promise<Result<Lease>> {
    const first = await this.use(spec);
    if (!first.ok) return first;
    const runner = new SpreadRunner(spec.host, first.value, (place) => this.use(spec, place));
    return success({ connection: runner, line: first.value.connection, release: () => runner.release() });
  }

  /** The use of the connection for this login, or of a further one beside it. */
  async use(spec: ConnectionSpec, place = 0): Promise<Result<ConnectionUse>> {
    const key = `${this.#keyOf(spec)} ${place}`;
    const kept = this.#kept.get(key) ?? this.#open(key, spec);
    kept.users += 1;
    const opened = await kept.opened;
    if (opened.ok && opened.value.isOpen) return success(this.#lease(key, kept, opened.value));
    kept.users -= 1;
    return opened.ok ? this.use(spec, place) : opened;
  }

  #open(key: string, spec: ConnectionSpec): Kept {
    const kept: Kept = { opened: this.#connect(spec), users: 0 };
    this.#kept.set(key, kept);
    const forget = (): void => {
      if (this.#kept.get(key) === kept) this.#kept.delete(key);
    };
    void kept.opened.then((opened) => {
      if (!opened.ok) forget();
      else void opened.value.ended.then(forget);
    });
    return kept;
  }

  /** The parent is there before a place at the gates is taken, so children never wait for places their parents need. */
  async #connect(spec: ConnectionSpec): Promise<Result<SshConnection>> {
    if (spec.via === undefined) return this.#logIn(spec);
    const parent = await this.use(spec.via);
    if (!parent.ok)
      return failure({ ...parent.problem, where: { ...parent.problem.where, host: spec.host } });
    const opened = await this.#logIn(spec, parent.value.connection);
    if (!opened.ok) parent.value.release();
    else void opened.value.ended.then(() => parent.value.release());
    return opened;
  }

  /** Logs in, once more after a pause where the server hung up because it has too many logins under way. */
  async #logIn(spec: ConnectionSpec, parent?: SshConnection): Promise<Result<SshConnection>> {
    const { tries, random } = this.#limits;
    const bastion = spec.via && this.#keyOf(spec.via);
    // Who contacts nobody shall not wait for the library behind it.
    const { connectSsh } = await import('./ssh.ts');
    const place = { server: JSON.stringify([spec.address, spec.port, bastion]), bastion };
    for (let tried = 1; ; tried += 1) {
      const opened = await this.#gates.pass(place, () => connectSsh(spec, this.#options, parent));
      const isOver = tried >= tries || this.#options.signal?.aborted === true || parent?.isOpen === false;
      if (opened.ok || !isDropped(opened.problem) || isOver) return opened;
      const { signal } = this.#options;
      await delay(pauseAfter(tried, random()), undefined, { signal }).catch(() => {});
    }
  }

  #lease(key: string, kept: Kept, connection: SshConnection): ConnectionUse {
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      kept.users -= 1;
      if (kept.users > 0) return;
      if (this.#kept.get(key) === kept) this.#kept.delete(key);
      connection.end('nothing uses the connection any more');
    };
    return { connection, release };
  }
}
