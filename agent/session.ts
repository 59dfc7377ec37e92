/**
 * One session with a reconciler: handshaking → ready ⇄ working → draining → closed.
 * Invariant: one converge or exec at a time; the end of the line stops work at the next boundary and then ends the process.
 * Never reads process.*; main gives what it needs.
 */

import type { Readable, Writable } from 'node:stream';
import { Blobs } from './blobs.ts';
import { Channel } from './channel.ts';
import { deferred } from './deferred.ts';
import { Dispatcher } from './dispatch.ts';
import { gatherFacts } from './facts/gather.ts';
import { Journal } from './journal.ts';
import { pause } from './pause.ts';
import type { Places } from './places.ts';
import type { Chunk } from './protocol/frame.ts';
import type { ReconcilerMessage } from './protocol/message.ts';
import type { Problem } from './protocol/problem.ts';
import { agentProblem } from './protocol/problem-codes.ts';
import { PROTOCOL_VERSION } from './protocol/version.ts';

/** Milliseconds a reconciler has to answer hello. */
const welcomeWithin = 60_000;
/** Milliseconds the last words have to leave. */
const drainWithin = 1000;

export interface SessionOptions {
  readonly input: Readable;
  readonly output: Writable;
  readonly places: Places;
  /** Identity of this agent's code. */
  readonly agent: string;
  /** The code itself, as it came. */
  readonly code?: Buffer | undefined;
  readonly pid: number;
  readonly node: string;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  /** Milliseconds; default a minute. */
  readonly welcomeWithin?: number;
  /** ISO 8601. */
  readonly date: () => string;
}

type State = 'handshaking' | 'ready' | 'draining' | 'closed';
type SessionEvent = 'welcome' | 'ended' | 'drained';

/** The states and what leads from one to the next; anything else is illegal. */
function next(state: State, event: SessionEvent): State {
  switch (state) {
    case 'handshaking':
      return event === 'welcome' ? 'ready' : 'draining';
    case 'ready':
      return event === 'ended' ? 'draining' : state;
    case 'draining':
      return event === 'drained' ? 'closed' : state;
    case 'closed':
      return state;
    default:
      return state satisfies never;
  }
}

/** Runs a session; resolves when it is closed and nothing of it is left to do. */
export async function runSession(options: SessionOptions): Promise<void> {
  const session = new Session(options);
  await session.hello();
  await session.closed;
}

class Session {
  readonly #options: SessionOptions;
  readonly #channel: Channel;
  readonly #blobs: Blobs;
  readonly #journal: Journal;
  readonly #dispatcher: Dispatcher;
  #state: State = 'handshaking';
  readonly #end = deferred<void>();
  #unanswered: NodeJS.Timeout | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#journal = new Journal(options.places.journal);
    this.#blobs = new Blobs((sha256, offset, bytes) =>
      this.#channel.send({ type: 'need', sha256, offset, bytes }),
    );
    this.#channel = new Channel(options.input, options.output, {
      message: (message) => this.#message(message),
      chunk: (chunk: Chunk) => this.#blobs.chunk(chunk),
      input: (part) => this.#dispatcher.programs.input(part),
      ended: (problem) => this.#ended(problem),
    });
    this.#dispatcher = new Dispatcher({
      ...options,
      channel: this.#channel,
      blobs: this.#blobs,
      journal: this.#journal,
      lockDirectory: options.places.lock,
    });
  }

  get closed(): Promise<void> {
    return this.#end.promise;
  }

  async hello(): Promise<void> {
    const [{ facts, problems }, journal] = await Promise.all([gatherFacts(), this.#journal.entries()]);
    this.#dispatcher.facts = facts;
    const late = agentProblem('agent.link-lost', 'no answer to hello came in time');
    this.#unanswered = setTimeout(() => this.#ended(late), this.#options.welcomeWithin ?? welcomeWithin);
    const { agent, pid, node } = this.#options;
    this.#channel.send({
      type: 'hello',
      protocol: PROTOCOL_VERSION,
      agent,
      pid,
      node,
      facts,
      factProblems: [...problems],
      holds: {},
      journal: [...journal],
    });
  }

  #message(message: ReconcilerMessage): void {
    if (this.#isEnding) return;
    if (message.type === 'welcome') {
      this.#state = next(this.#state, 'welcome');
      clearTimeout(this.#unanswered);
      this.#channel.keepAlive(message.heartbeat);
      this.#channel.grant(message.credit);
    } else if (this.#state === 'ready') {
      if (message.type === 'close') this.#ended();
      else this.#dispatcher.dispatch(message);
    } else {
      this.#ended(agentProblem('protocol.illegal-state', `${message.type} before welcome`));
    }
  }

  get #isEnding(): boolean {
    return this.#state === 'draining' || this.#state === 'closed';
  }

  #ended(problem?: Problem): void {
    if (this.#isEnding) return;
    this.#state = next(this.#state, 'ended');
    clearTimeout(this.#unanswered);
    const why = problem ?? agentProblem('agent.link-lost', 'the reconciler closed the line');
    this.#blobs.lost(why);
    void this.#drain(why, problem);
  }

  async #drain(why: Problem, problem: Problem | undefined): Promise<void> {
    await this.#dispatcher.finish(why);
    this.#channel.send({ type: 'goodbye', problem });
    await Promise.race([this.#channel.drained(), pause(drainWithin)]);
    this.#state = next(this.#state, 'drained');
    this.#end.resolve();
  }
}
