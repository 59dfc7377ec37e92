/**
 * Keeps ssh connections while something uses them: contexts of several accounts and connections through them share one.
 * Invariant: one attempt per connection however many ask; a failed attempt is not remembered; parents outlive children.
 * Never reopens by itself.
 */

import { failure, type Result, success } from '../../agent/protocol/problem.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import type { Gate } from './gate.ts';
import { connectSsh, type SshOptions } from './ssh.ts';
import type { SshConnection } from './ssh-connection.ts';

/** The use of a connection, until released. */
export interface Lease {
  readonly connection: SshConnection;
  release(): void;
}

interface Kept {
  readonly opened: Promise<Result<SshConnection>>;
  users: number;
}

export class SshConnections {
  readonly #options: SshOptions;
  readonly #gate: Gate;
  readonly #keyOf: (spec: ConnectionSpec) => string;
  readonly #kept = new Map<string, Kept>();

  constructor(options: SshOptions, gate: Gate, keyOf: (spec: ConnectionSpec) => string) {
    this.#options = options;
    this.#gate = gate;
    this.#keyOf = keyOf;
  }

  /** A connection for this login, opened when there is none. */
  async acquire(spec: ConnectionSpec): Promise<Result<Lease>> {
    const key = this.#keyOf(spec);
    const kept = this.#kept.get(key) ?? this.#open(key, spec);
    kept.users += 1;
    const opened = await kept.opened;
    if (opened.ok && opened.value.isOpen) return success(this.#lease(key, kept, opened.value));
    kept.users -= 1;
    return opened.ok ? this.acquire(spec) : opened;
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

  /** The parent is there before a place at the gate is taken, so children never wait for places their parents need. */
  async #connect(spec: ConnectionSpec): Promise<Result<SshConnection>> {
    if (spec.via === undefined) return this.#gate.pass(() => connectSsh(spec, this.#options));
    const parent = await this.acquire(spec.via);
    if (!parent.ok)
      return failure({ ...parent.problem, where: { ...parent.problem.where, host: spec.host } });
    const opened = await this.#gate.pass(() => connectSsh(spec, this.#options, parent.value.connection));
    if (!opened.ok) parent.value.release();
    else void opened.value.ended.then(() => parent.value.release());
    return opened;
  }

  #lease(key: string, kept: Kept, connection: SshConnection): Lease {
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
