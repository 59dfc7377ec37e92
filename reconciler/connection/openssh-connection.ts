/**
 * An open connection of the OpenSSH client: each command is a session of its control master.
 * Invariant: a command never makes a connection of its own; `ended` settles once, with the first reason.
 * Never holds what passes through: the client has the host's window, and we have pipes.
 */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { failure, type Result, success } from '../../agent/protocol/problem.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import { connectionProblem } from '../base/problem-codes/connection.ts';
import type { Exit, MeasuredLine, RemoteProcess, Runner, StartOptions } from './line.ts';
import type { OpensshFolder } from './openssh-folder.ts';
import { lastWords } from './openssh-problem.ts';
import { destination } from './openssh-words.ts';
import type { SshDeadlines } from './ssh-connection.ts';

/** The client that keeps the connection. */
export interface MasterProcess {
  readonly ended: Promise<number | null>;
  end(): void;
  /** What it said besides its log. */
  readonly said: string;
}

interface Parts {
  readonly master: MasterProcess;
  readonly folder: OpensshFolder;
  readonly program: string;
  readonly deadlines: Pick<SshDeadlines, 'channel'>;
  /** Until the client had its connection, through all hosts before. */
  readonly setUpMilliseconds: number;
}

interface Client {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  /** Its status once its streams are read to their end. */
  readonly closed: Promise<number | null>;
  /** Lets the streams go: until then nothing of them is thrown away for want of a reader. */
  readonly hand: () => void;
}

/** Milliseconds between two looks at a session that is starting. */
const look = 10;
/** Milliseconds that a connection's own end may be behind that of its sessions. */
const masterGrace = 500;
/** The client's own word for a failure that is not the command's. */
const clientFailure = 255;

export class OpensshConnection implements Runner, MeasuredLine {
  /** Settles when the connection is gone, with why. */
  readonly ended: Promise<string>;
  readonly #spec: ConnectionSpec;
  readonly #parts: Parts;
  #lost: string | undefined;
  #sessions = 0;

  constructor(spec: ConnectionSpec, parts: Parts) {
    this.#spec = spec;
    this.#parts = parts;
    const cleanUp = (): void => parts.folder.removeNow();
    process.once('exit', cleanUp);
    this.ended = parts.master.ended.then(async () => {
      const last = lastWords(await this.#logs()).at(-1);
      this.#lost ??= last ?? 'the connection of the OpenSSH client ended';
      process.off('exit', cleanUp);
      await parts.folder.remove();
      return this.#lost;
    });
  }

  /** Of the whole chain: one client opens it, and nobody tells when each host let it by. */
  get setUpMilliseconds(): number {
    return this.#parts.setUpMilliseconds;
  }

  get isOpen(): boolean {
    return this.#lost === undefined;
  }

  /** Runs a command line in the account's login shell. */
  async start(command: string, options: StartOptions): Promise<Result<RemoteProcess>> {
    const where = { host: this.#spec.host };
    if (this.#lost !== undefined)
      return failure(connectionProblem('ssh.channel-refused', this.#lost, { where }));
    const log = `session-${this.#sessions++}`;
    const client = this.#client(command, log, options);
    const state = await this.#opened(client, log);
    if (state === 'opened') return success(this.#processOf(client));
    client.child.kill('SIGKILL');
    client.hand();
    if (state === 'late') this.end('a session did not open in time');
    const said = lastWords(await this.#parts.folder.read(log)).at(-1);
    const message =
      state === 'late'
        ? `no answer to a new session within ${this.#parts.deadlines.channel / 1000} s`
        : (this.#lost ?? said ?? 'the client ended without a word');
    return failure(connectionProblem('ssh.channel-refused', message, { where }));
  }

  /** Ends the connection and all that runs over it, without waiting. */
  end(reason: string): void {
    this.#lost ??= reason;
    this.#parts.master.end();
  }

  #client(command: string, log: string, { pty }: StartOptions): Client {
    const { folder, program } = this.#parts;
    const words = [
      ...['-F', 'none', '-v', '-E', folder.file(log), pty ? '-tt' : '-T', '-e', 'none'],
      ...['-S', folder.file('control'), '-o', 'ControlMaster=no'],
      // Without its master the client would make a connection of its own, unchecked.
      ...['-o', 'ProxyCommand=false', '-o', 'BatchMode=yes'],
      ...destination(this.#spec, command),
    ];
    const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    child.stdin.on('error', () => {});
    const closed = new Promise<number | null>((resolve) => {
      child.once('error', () => resolve(null));
      child.once('close', (status) => resolve(status));
    });
    // Node empties the streams of a child that has ended, unless somebody wants to read them.
    const wait = (): void => {};
    const streams = [child.stdout, child.stderr];
    for (const stream of streams) stream.on('readable', wait);
    const hand = (): void => {
      for (const stream of streams) stream.off('readable', wait);
    };
    return { child, closed, hand };
  }

  /** The client writes down that it has a session; until then it may still be refused. */
  async #opened({ child }: Client, log: string): Promise<'opened' | 'refused' | 'late'> {
    const { folder, deadlines } = this.#parts;
    for (let waited = 0; waited < deadlines.channel; waited += look) {
      const over = child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
      if (/master session id/.test(await folder.read(log))) return 'opened';
      if (over || this.#lost !== undefined) return 'refused';
      await pause(look);
    }
    return 'late';
  }

  #processOf(client: Client): RemoteProcess {
    const { child } = client;
    const { stdin, stdout, stderr } = child;
    const exited = this.#exitOf(client);
    client.hand();
    // The host's side of the streams stays open as long as its program likes; ours does not.
    const end = (signal: NodeJS.Signals) => (): void => {
      for (const stream of [stdin, stdout, stderr]) stream.destroy();
      child.kill(signal);
    };
    return { stdin, stdout, stderr, exited, kill: end('SIGKILL'), release: end('SIGTERM') };
  }

  async #exitOf(client: Client): Promise<Exit> {
    const status = await client.closed;
    // Also what the client says when it lost its master, whose end then follows at once.
    if (status === clientFailure)
      await Promise.race([this.ended, pause(masterGrace, undefined, { ref: false })]);
    if (status !== null && (status !== clientFailure || this.#lost === undefined))
      return { status, signal: null };
    return { status: null, signal: null, lost: this.#lost ?? 'the session was ended from here' };
  }

  #logs(): Promise<string> {
    const { folder } = this.#parts;
    let depth = 0;
    for (let spec = this.#spec; spec.via !== undefined; spec = spec.via) depth += 1;
    return folder.read(`log-${depth}`);
  }
}
