/**
 * An agent in memory: streams like those of a started process, at whose other end a test says what it likes.
 * Invariant: the controller's side sees exactly the bytes the test pushes, and what the controller writes is kept until it is taken.
 * For tests only; nothing of the controller is replaced.
 */

import { Readable, Writable } from 'node:stream';
import { decodeMessage, encodeMessage } from '../../agent/protocol/codec.ts';
import { FrameDecoder, frameTypes } from '../../agent/protocol/frame.ts';
import {
  type AgentMessage,
  type HelloMessage,
  type ReconcilerMessage,
  reconcilerMessageSchema,
} from '../../agent/protocol/message.ts';
import { PROTOCOL_VERSION } from '../../agent/protocol/version.ts';
import type { StartedAgent } from '../../reconciler/connection/bootstrap.ts';
import { type Exit, LastLines } from '../../reconciler/connection/line.ts';

/** A hello that says as little as may be said. */
export function plainHello(more: Partial<HelloMessage> = {}): HelloMessage {
  const facts = {
    ...{ os: null, hardware: null, network: null, packageManager: null, initSystem: null, mounts: null },
    ...{ virtualization: null, account: null, uptime: null, machineId: null, custom: null },
  };
  const about = { protocol: PROTOCOL_VERSION, agent: 'simulated', pid: 1, node: 'v24.0.0' };
  return { type: 'hello', ...about, facts, factProblems: [], holds: {}, journal: [], ...more };
}

export class SimulatedAgent {
  readonly started: StartedAgent;
  /** Whether what the controller writes is taken at once, or never. */
  readonly #reads: boolean;
  readonly #heard: (bytes: Buffer) => void;
  readonly #exit = Promise.withResolvers<Exit>();
  readonly #stdout = new Readable({ read: () => {}, highWaterMark: 1024 * 1024 });
  readonly #stdin: Writable;

  constructor(options: { readonly reads?: boolean; readonly heard?: (bytes: Buffer) => void } = {}) {
    this.#reads = options.reads ?? true;
    this.#heard = options.heard ?? (() => {});
    this.#stdin = new Writable({ write: (bytes: Buffer, _, done) => this.#write(bytes, done) });
    this.#stdin.on('error', () => {});
    const release = (): void => {
      this.#stdin.destroy();
      this.#stdout.destroy();
    };
    this.started = {
      process: {
        stdin: this.#stdin,
        stdout: this.#stdout,
        stderr: Readable.from([]),
        exited: this.#exit.promise,
        kill: release,
        release,
      },
      said: new LastLines(),
      sent: 0,
    };
  }

  /** Bytes the controller has written and nobody has taken. */
  get untaken(): number {
    return this.#stdin.writableLength;
  }

  push(...bytes: readonly Buffer[]): void {
    if (!this.#stdout.destroyed) for (const part of bytes) this.#stdout.push(part);
  }

  say(message: AgentMessage): void {
    this.push(...encodeMessage(message));
  }

  /** The streams end. */
  end(): void {
    if (!this.#stdout.destroyed) this.#stdout.push(null);
  }

  exit(exit: Exit): void {
    this.#exit.resolve(exit);
  }

  #write(bytes: Buffer, done: () => void): void {
    if (!this.#reads) return;
    this.#heard(bytes);
    done();
  }
}

/** An agent that answers what it is asked, as an honest one with nothing to do. */
export function honestAgent(
  answer: (message: ReconcilerMessage) => readonly AgentMessage[],
  hello: HelloMessage = plainHello(),
): SimulatedAgent {
  const decoder = new FrameDecoder();
  const agent = new SimulatedAgent({
    heard: (bytes) => {
      for (const frame of decoder.push(bytes)) {
        if (frame.type === frameTypes.chunk) continue;
        const message = decodeMessage(frame, reconcilerMessageSchema);
        for (const said of answer(message)) agent.say(said);
        if (message.type === 'close') agent.exit({ status: 0, signal: null });
      }
    },
  });
  agent.say(hello);
  return agent;
}

/** The answers of an honest agent on whose host everything is as it should be. */
export function contentAnswers(message: ReconcilerMessage): readonly AgentMessage[] {
  if (message.type === 'ping') return [{ type: 'pong', id: message.id }];
  if (message.type === 'exec') return [{ type: 'executed', id: message.id, status: 0, signal: null }];
  if (message.type === 'facts')
    return [{ type: 'facts', id: message.id, facts: plainHello().facts, problems: [] }];
  if (message.type !== 'converge') return [];
  const { id, key, digest, run, mode } = message;
  const outcomes = { unchanged: 0, changed: 0, failed: 0, skipped: 0, unknown: 0 };
  const end = { complete: true, ok: true, outcomes, reports: [], milliseconds: 1 };
  return [{ type: 'converged', id, result: { key, digest, run, mode, ...end } }];
}
