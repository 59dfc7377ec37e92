/**
 * Runs commands over one connection, and over further ones to the same account when the server lets no more into it (MaxSessions).
 * Invariant: a connection that refused a session is not asked for more than it held; a server that lets none in is believed.
 * Never opens a further connection before it is needed.
 */

import { failure, type Result } from '../../agent/protocol/problem.ts';
import { connectionProblem } from '../base/problem-codes/connection.ts';
import type { RemoteProcess, Runner, StartOptions } from './line.ts';

/** Connections to one account at most. */
const mostConnections = 8;

/** A connection as far as its sessions matter. */
export interface SessionCarrier extends Runner {
  readonly isOpen: boolean;
  /** Sessions in it now. */
  readonly sessions: number;
  /** As many as it takes, by what is known. */
  mostSessions: number;
}

/** The use of a connection, until released. */
export interface CarrierUse {
  readonly connection: SessionCarrier;
  release(): void;
}

export class SpreadRunner implements Runner {
  readonly #host: string;
  readonly #open: (place: number) => Promise<Result<CarrierUse>>;
  readonly #uses: CarrierUse[];
  #isReleased = false;

  /** `open` gives the use of the n-th connection to the account; `first` is the one of place 0. */
  constructor(host: string, first: CarrierUse, open: (place: number) => Promise<Result<CarrierUse>>) {
    this.#host = host;
    this.#uses = [first];
    this.#open = open;
  }

  async start(command: string, options: StartOptions): Promise<Result<RemoteProcess>> {
    for (let place = 0; place < mostConnections; place += 1) {
      const use = await this.#use(place);
      if (!use.ok) return use;
      const { connection } = use.value;
      const before = connection.sessions;
      if (before >= connection.mostSessions) continue;
      const started = await connection.start(command, options);
      const isFull = !started.ok && started.problem.code === 'ssh.channel-refused' && before > 0;
      if (!isFull || !connection.isOpen) return started;
      connection.mostSessions = Math.max(1, before);
    }
    const message = `${mostConnections} connections are full`;
    return failure(connectionProblem('ssh.channel-refused', message, { where: { host: this.#host } }));
  }

  release(): void {
    this.#isReleased = true;
    for (const use of this.#uses.splice(0)) use.release();
  }

  async #use(place: number): Promise<Result<CarrierUse>> {
    const known = this.#uses[place];
    if (known !== undefined) return { ok: true, value: known };
    const opened = await this.#open(place);
    if (!opened.ok) return opened;
    if (this.#isReleased) opened.value.release();
    else this.#uses[place] = opened.value;
    return opened;
  }
}
