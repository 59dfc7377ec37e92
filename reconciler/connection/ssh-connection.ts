/**
 * An open ssh2 connection: runs commands and forwards streams until it is gone.
 * Invariant: every wait ends; `ended` settles once, with the first reason.
 * Never shows a type of the library to the rest of the reconciler.
 */

import type { Duplex } from 'node:stream';
import type { Client, ClientChannel } from 'ssh2';
import { failure, type Result, success } from '../../agent/protocol/problem.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import { stopwatch } from '../base/clock.ts';
import { connectionProblem } from '../base/problem-codes/connection.ts';
import type { Exit, MeasuredLine, RemoteProcess, Runner, StartOptions } from './line.ts';
import { guardReceiveWindow } from './receive-window.ts';
import { destroySocket, paceBySocket, signOfLife, socketOf } from './ssh2-internals.ts';
import { unreachable } from './tcp.ts';

/** Milliseconds. */
export interface SshDeadlines {
  readonly tcp: number;
  readonly handshake: number;
  readonly auth: number;
  readonly channel: number;
  readonly keepalive: number;
}

export const sshDeadlines: SshDeadlines = {
  tcp: 10_000,
  handshake: 15_000,
  auth: 15_000,
  channel: 10_000,
  keepalive: 15_000,
};

export interface ConnectionParts {
  readonly deadlines: SshDeadlines;
  readonly setUpMilliseconds: number;
}

/** An open, authenticated connection. */
export class SshConnection implements Runner, MeasuredLine {
  /** Settles when the connection is gone, with why. */
  readonly ended: Promise<string>;
  /** Sessions it takes, by what is known: sshd lets ten into one connection unless told otherwise. */
  mostSessions = 10;
  /** Of the connection, the handshake and authentication, without what was waited for before. */
  readonly setUpMilliseconds: number;
  readonly #client: Client;
  readonly #spec: ConnectionSpec;
  readonly #deadlines: SshDeadlines;
  #lost: string | undefined;
  #sessions = 0;

  constructor(spec: ConnectionSpec, client: Client, parts: ConnectionParts) {
    this.#client = client;
    this.#spec = spec;
    this.#deadlines = parts.deadlines;
    this.setUpMilliseconds = parts.setUpMilliseconds;
    client.removeAllListeners('error');
    client.removeAllListeners('close');
    this.ended = new Promise((resolve) => {
      client.on('error', (error) => this.#note(error.message));
      client.once('close', () => resolve(this.#note('the server closed the connection')));
    });
  }

  get isOpen(): boolean {
    return this.#lost === undefined;
  }

  /** Commands that run over it now. */
  get sessions(): number {
    return this.#sessions;
  }

  /** Runs a command line in the account's login shell. */
  async start(command: string, options: StartOptions): Promise<Result<RemoteProcess>> {
    const pty = options.pty ? { pty: { term: 'dumb' } } : {};
    return this.#channel(
      (done) => this.#client.exec(command, pty, done),
      (channel) => {
        this.#sessions += 1;
        channel.once('close', () => {
          this.#sessions -= 1;
        });
        return this.#processOf(channel);
      },
    );
  }

  /** A stream to an address as the far end reaches it. */
  async forward(target: ConnectionSpec): Promise<Result<Duplex>> {
    const opened = await this.#channel<Duplex>(
      (done) => this.#client.forwardOut('127.0.0.1', 0, target.address, target.port, done),
      (channel) => channel,
    );
    if (opened.ok || opened.problem.code !== 'ssh.channel-refused') return opened;
    const reason = `cannot be reached from ${this.#spec.host}: ${opened.problem.message}`;
    return failure({ ...unreachable(target, reason), cause: opened.problem });
  }

  /** Milliseconds to the server at the far end and back. */
  async roundTrip(): Promise<Result<number>> {
    const where = { host: this.#spec.host };
    const passed = stopwatch();
    if (this.#lost === undefined) {
      const { channel: deadline } = this.#deadlines;
      const timer = setTimeout(() => this.end(`no sign of life within ${deadline / 1000} s`), deadline);
      const isAlive = await Promise.race([signOfLife(this.#client), this.ended.then(() => false)]);
      clearTimeout(timer);
      if (isAlive) return success(passed());
    }
    const hint = 'The connection broke while it was measured; ask once more.';
    return failure(connectionProblem('line.lost', this.#lost ?? 'the connection ended', { where, hint }));
  }

  /** Ends the connection and all that runs over it, without waiting. */
  end(reason: string): void {
    this.#note(reason);
    this.#client.end();
    const client = this.#client;
    const timer = setTimeout(() => destroySocket(client), 1000);
    void this.ended.then(() => clearTimeout(timer));
  }

  /** Ends the connection at once: what the far end still has to say is not heard. */
  #drop(reason: string): void {
    this.#note(reason);
    destroySocket(this.#client);
  }

  #note(reason: string): string {
    this.#lost ??= reason;
    return this.#lost;
  }

  /** What `take` makes of a new channel, in the moment it opens: a short command's end may stand in the same packet. */
  #channel<T>(
    request: (done: (error: Error | undefined, channel: ClientChannel) => void) => void,
    take: (channel: ClientChannel) => T,
  ): Promise<Result<T>> {
    const { promise, resolve } = Promise.withResolvers<Result<T>>();
    const where = { host: this.#spec.host };
    const refuse = (message: string): void =>
      resolve(failure(connectionProblem('ssh.channel-refused', message, { where })));
    const timer = setTimeout(() => {
      this.end('a channel did not open in time');
      refuse(`no answer to a new channel within ${this.#deadlines.channel / 1000} s`);
    }, this.#deadlines.channel);
    const done = (error: Error | undefined, channel: ClientChannel): void => {
      clearTimeout(timer);
      if (error) return refuse(error.message);
      guardReceiveWindow(channel, () => this.#drop('the server sent more than the window it was granted'));
      resolve(success(take(channel)));
    };
    try {
      request(done);
    } catch (error) {
      clearTimeout(timer);
      refuse(this.#lost ?? (error as Error).message);
    }
    return promise;
  }

  #processOf(channel: ClientChannel): RemoteProcess {
    paceBySocket(channel, socketOf(this.#client));
    const { promise: exited, resolve } = Promise.withResolvers<Exit>();
    let exit: Exit | undefined;
    channel.on('exit', (status: number | null, signal?: string) => {
      exit = { status, signal: signal ?? null };
    });
    const settle = (): void => {
      const lost = this.#lost ?? 'the channel closed';
      resolve(exit ?? { status: null, signal: null, lost, isUntold: this.#lost === undefined });
    };
    channel.once('close', settle);
    void this.ended.then(settle);
    channel.on('error', () => {});
    const release = (): void => {
      channel.destroy();
    };
    // The host keeps its side open as long as the program runs, which it may do although nobody listens.
    const kill = (): void => {
      release();
      settle();
    };
    return { stdin: channel, stdout: channel, stderr: channel.stderr, exited, kill, release };
  }
}
