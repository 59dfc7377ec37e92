/**
 * Programs started by an agent for us, as if they ran here: their streams travel in frames of the agent's session.
 * Invariant: neither side has more under way than was granted; the bytes of a supply stand where they were written; every program
 * ends with the session at the latest.
 * Never looks at what passes through; what comes for a program that was never started ends the session.
 */

import { PassThrough, type Readable, Writable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { type StreamPart, streamChannels, streamWindow } from '../../agent/protocol/frame.ts';
import type { AgentMessage } from '../../agent/protocol/message.ts';
import type { Problem, Result } from '../../agent/protocol/problem.ts';
import { hintedAgentProblem as agentProblem } from '../base/problem-codes/agent.ts';
import { connectionProblem } from '../base/problem-codes/connection.ts';
import type { FrameWriter } from './frame-writer.ts';
import type { Exit, RemoteProcess, Supply } from './line.ts';

type Exited = Extract<AgentMessage, { type: 'exited' }>;
type Window = Extract<AgentMessage, { type: 'window' }>;

/** What the programs of a session need of it. */
export interface ProgramHost {
  readonly writer: FrameWriter;
  /** Asks the agent for a supply, serving it the content meanwhile. */
  supply(program: number, supply: Supply): Promise<Result<void>>;
  /** Whether a call with this id was ever made. */
  wasOpen(id: number): boolean;
  /** Takes bytes from the budget of the context. */
  spend(bytes: number): Problem | undefined;
}

/** Consumed output is granted again in portions of at least so many bytes. */
const grantFrom = streamWindow / 4;
/** Most bytes in one frame, so that what else is said on the line comes between. */
const pieceSize = 64 * 1024;
/** Pieces of one output that may wait to be read: each costs more than its bytes. */
const piecesLimit = 2 ** 16;
/** Milliseconds that output nobody reads may hold up the news of an end. */
const unreadGrace = 1000;

export class RemotePrograms {
  readonly #host: ProgramHost;
  readonly #programs = new Map<number, Program>();

  constructor(host: ProgramHost) {
    this.#host = host;
  }

  /** The program that is to be opened under this id; `exited` is the agent's answer. */
  add(id: number, exited: Promise<Result<Exited>>): RemoteProcess {
    const program = new Program(id, this.#host, exited);
    this.#programs.set(id, program);
    void exited.then(() => this.#programs.delete(id));
    return program;
  }

  /** Takes output. Gives the problem for which the context must be dropped. */
  output(part: StreamPart): Problem | undefined {
    const program = this.#programs.get(part.id);
    if (program !== undefined) return program.output(part);
    return this.#host.wasOpen(part.id) ? this.#host.spend(part.bytes.length) : unasked('output');
  }

  /** Takes a grant for more input. */
  window(message: Window): Problem | undefined {
    const program = this.#programs.get(message.id);
    if (program !== undefined) return program.grant(message.bytes);
    return this.#host.wasOpen(message.id) ? undefined : unasked('a window');
  }
}

function unasked(what: string): Problem {
  return agentProblem('protocol.illegal-state', `${what} of a program that was never started`);
}

class Program implements RemoteProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly exited: Promise<Exit>;
  readonly #id: number;
  readonly #host: ProgramHost;
  readonly #outputs: readonly Output[];
  /** Stands in the input where a supply belongs. */
  readonly #supplies = new WeakMap<Buffer, () => void>();
  #credit = streamWindow;
  #granted: () => void = () => {};
  #isShut = false;

  constructor(id: number, host: ProgramHost, exited: Promise<Result<Exited>>) {
    this.#id = id;
    this.#host = host;
    this.stdin = new Writable({
      highWaterMark: pieceSize,
      write: (bytes: Buffer, _, done) => void this.#feed(bytes).then(() => done()),
      final: (done) => {
        this.#shut('stdin');
        done();
      },
    });
    this.stdin.on('error', () => {});
    const regrant = (channel: 1 | 2) => (bytes: number) =>
      host.writer.message({ type: 'window', id, channel, bytes });
    this.#outputs = [new Output(regrant(streamChannels.stdout)), new Output(regrant(streamChannels.stderr))];
    const [stdout, stderr] = this.#outputs as [Output, Output];
    this.stdout = stdout.stream;
    this.stderr = stderr.stream;
    this.exited = exited.then((answer) => this.#end(answer));
  }

  kill(): void {
    this.#leave('kill');
  }

  release(): void {
    this.#leave('release');
  }

  supply(supply: Supply): Promise<Result<void>> {
    const { promise, resolve } = Promise.withResolvers<Result<void>>();
    const place = Buffer.alloc(0);
    this.#supplies.set(place, () => resolve(this.#host.supply(this.#id, supply)));
    this.stdin.write(place, (error) => {
      if (error)
        resolve({
          ok: false,
          problem: connectionProblem('line.closed', 'the program takes nothing any more'),
        });
    });
    return promise;
  }

  /** Takes output that was granted. */
  output({ channel, bytes }: StreamPart): Problem | undefined {
    const output = channel === 0 ? undefined : this.#outputs[channel - 1];
    if (output === undefined)
      return agentProblem('protocol.illegal-state', `a program has no output ${channel}`);
    return output.take(bytes);
  }

  grant(bytes: number): Problem | undefined {
    this.#credit += bytes;
    if (!Number.isSafeInteger(bytes) || bytes < 0 || this.#credit > streamWindow)
      return agentProblem('protocol.illegal-state', `a program’s input was granted ${bytes} bytes too many`);
    this.#granted();
    return undefined;
  }

  async #feed(bytes: Buffer): Promise<void> {
    this.#supplies.get(bytes)?.();
    for (let at = 0; at < bytes.length; ) {
      await this.#host.writer.ready();
      if (this.#credit === 0) await this.#room();
      if (this.stdin.destroyed) return;
      const part = bytes.subarray(at, at + Math.min(this.#credit, pieceSize));
      this.#credit -= part.length;
      at += part.length;
      this.#host.writer.stream({ id: this.#id, channel: streamChannels.stdin, bytes: part });
    }
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#granted = resolve;
    });
  }

  #shut(how: 'stdin' | 'release' | 'kill'): void {
    if (!this.#isShut) this.#host.writer.message({ type: 'shut', id: this.#id, how });
    this.#isShut ||= how !== 'stdin';
  }

  #leave(how: 'release' | 'kill'): void {
    this.#shut(how);
    this.stdin.destroy();
    for (const { stream } of this.#outputs) stream.destroy();
    this.#granted();
  }

  async #end(answer: Result<Exited>): Promise<Exit> {
    this.#isShut = true;
    this.stdin.destroy();
    this.#granted();
    const read = this.#outputs.map((output) => output.end());
    await Promise.race([Promise.all(read), pause(unreadGrace, undefined, { ref: false })]);
    if (!answer.ok)
      return { status: null, signal: null, lost: answer.problem.message, problem: answer.problem };
    const { status, signal, problem } = answer.value;
    return problem === undefined ? { status, signal } : { status, signal, lost: problem.message, problem };
  }
}

/** One output: what is read is granted again. */
class Output {
  readonly stream = new PassThrough();
  readonly #regrant: (bytes: number) => void;
  #unread = 0;
  #pieces = 0;
  #owed = 0;

  constructor(regrant: (bytes: number) => void) {
    this.#regrant = regrant;
  }

  take(bytes: Buffer): Problem | undefined {
    this.#unread += bytes.length;
    this.#pieces += 1;
    if (bytes.length === 0) return agentProblem('protocol.illegal-state', 'a piece of output without any');
    if (this.#unread > streamWindow || this.#pieces > piecesLimit)
      return connectionProblem('line.flooded', 'a program’s output is more than was granted');
    if (!this.stream.writable) return undefined;
    this.stream.write(bytes, (error) => {
      this.#pieces -= 1;
      if (!error) this.#taken(bytes.length);
    });
    return undefined;
  }

  /** Resolves when nothing of it is unread. */
  end(): Promise<void> {
    const { stream } = this;
    return new Promise((resolve) => {
      stream.once('close', resolve);
      if (stream.destroyed || stream.readableLength + stream.writableLength === 0) resolve();
      stream.end();
    });
  }

  #taken(count: number): void {
    this.#owed += count;
    if (this.#owed < grantFrom) return;
    this.#unread -= this.#owed;
    this.#regrant(this.#owed);
    this.#owed = 0;
  }
}
