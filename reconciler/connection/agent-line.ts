/**
 * The frames between us and one agent: reading, heartbeat, byte budget, and the one way a session ends.
 * Invariant: nothing unvalidated passes; a silent peer is noticed within three heartbeats; the first reason of an end stays.
 * Never decides what a message means beyond hello, ping and goodbye.
 */

import {
  decodeStream,
  type Frame,
  FrameDecoder,
  frameTypes,
  type StreamPart,
} from '../../agent/protocol/frame.ts';
import type { AgentMessage, HelloMessage } from '../../agent/protocol/message.ts';
import { type Problem, placed } from '../../agent/protocol/problem.ts';
import { hintedAgentProblem as agentProblem, withHints } from '../base/problem-codes/agent.ts';
import { connectionProblem } from '../base/problem-codes/connection.ts';
import { thrownProblem } from '../base/thrown.ts';
import type { StartedAgent } from './bootstrap.ts';
import { FrameWriter } from './frame-writer.ts';
import { messageText, readMessage } from './host-message.ts';
import { describeExit, type Exit } from './line.ts';
import { nextState, type SessionEvent, type SessionState } from './session-state.ts';

/** Takes what comes in an open session; a problem given back ends it. */
export interface LineListener {
  /** `length`: the characters of its text. */
  message(message: AgentMessage, length: number): Problem | undefined;
  /** Output of a program that the agent runs for us. */
  output(part: StreamPart): Problem | undefined;
}

export interface LineOptions {
  readonly host: string;
  /** Milliseconds. */
  readonly heartbeat: number;
}

/** Bytes of events an agent may have under way. */
export const eventWindow = 1024 * 1024;
/** Characters besides the events of its calls that a context may send, and more for each call; what is not used is not kept for ever. */
const allowancePerCall = 32 * 1024 * 1024;
const allowanceLimit = 2 * allowancePerCall;
const allowancePerBeat = 1024;
/** What a message costs at least: the work of taking it. */
const leastCost = 64;
/** A heartbeat is looked at in halves: five silent halves are less than three whole ones. */
const silentHalves = 5;
/** Half beats within which a whole frame must come: a quarter of an hour, enough for the largest over the slowest line. */
const unfinishedHalves = 360;
const exitGrace = 1000;

export class AgentLine {
  readonly writer: FrameWriter;
  /** Settles when the session has ended, with why unless it was closed from here. */
  readonly ended: Promise<Problem | undefined>;
  readonly #agent: StartedAgent;
  readonly #options: LineOptions;
  readonly #decoder = new FrameDecoder();
  readonly #settle: (problem: Problem | undefined) => void;
  readonly #hello = Promise.withResolvers<HelloMessage>();
  #state: SessionState = { name: 'handshaking' };
  #listener: LineListener | undefined;
  #received = 0;
  #heard = 0;
  #silent = 0;
  #unfinished = 0;
  #allowance = allowancePerCall;
  #farewell: Problem | undefined;
  #beat: NodeJS.Timeout | undefined;

  constructor(agent: StartedAgent, options: LineOptions) {
    this.#agent = agent;
    this.#options = options;
    this.writer = new FrameWriter(agent.process, agent.sent);
    const ended = Promise.withResolvers<Problem | undefined>();
    this.ended = ended.promise;
    this.#settle = ended.resolve;
    const { stdout, exited } = agent.process;
    void exited.then((exit) => this.lose(this.#lostProblem(exit)));
    stdout.on('end', () => setTimeout(() => this.lose(this.#lostProblem(undefined)), exitGrace).unref());
    stdout.on('error', () => {});
    stdout.on('data', (bytes: Buffer) => this.#receive(bytes));
  }

  get received(): number {
    return this.#received;
  }

  get isOpen(): boolean {
    return this.#state.name === 'open';
  }

  /** The agent's first message. */
  get hello(): Promise<HelloMessage> {
    return this.#hello.promise;
  }

  /** Answers hello: from here on messages go to the listener and the heart beats. */
  open(listener: LineListener): void {
    if (!this.#advance({ name: 'hello' })) return;
    this.#listener = listener;
    const { heartbeat } = this.#options;
    this.writer.message({ type: 'welcome', heartbeat: heartbeat / 1000, credit: eventWindow });
    this.#beat = setInterval(() => this.#tick(), heartbeat / 2);
  }

  /** Lets the agent send what a call may need. */
  allowCall(): void {
    this.#allowance = Math.min(this.#allowance + allowancePerCall, allowanceLimit);
  }

  /** Takes characters from the budget of the context. Gives the problem when there is none left. */
  spend(length: number): Problem | undefined {
    this.#allowance -= Math.max(length, leastCost);
    return this.#allowance >= 0
      ? undefined
      : connectionProblem('line.flooded', 'the byte budget of the context is used up');
  }

  /** Says goodbye and waits for the agent to end, at most `deadline` milliseconds. */
  async close(reason: string, deadline: number): Promise<void> {
    if (this.#state.name !== 'open' && this.#state.name !== 'handshaking') return;
    if (this.#state.name === 'open') this.writer.message({ type: 'close', reason });
    this.#advance({ name: 'close', reason });
    this.#agent.process.stdin.end();
    const closed = connectionProblem('line.closed', reason);
    const timer = setTimeout(() => this.lose(closed), deadline);
    await this.ended;
    clearTimeout(timer);
  }

  /** Ends the session with a reason, at once; later reasons change nothing. */
  lose(problem: Problem): void {
    if (this.#state.name === 'ended') return;
    this.#advance({ name: 'lost', problem: placed(problem, { host: this.#options.host }) });
  }

  #isOver(): boolean {
    return this.#state.name === 'ended';
  }

  #advance(event: SessionEvent): boolean {
    const next = nextState(this.#state, event);
    if (next === undefined) return false;
    this.#state = next;
    if (next.name === 'ended') {
      clearInterval(this.#beat);
      this.#agent.process.release();
      this.#settle(next.problem);
    }
    return true;
  }

  #receive(bytes: Buffer): void {
    if (this.#isOver()) return;
    this.#received += bytes.length;
    try {
      for (const frame of this.#decoder.push(bytes)) {
        this.#take(frame);
        if (this.#isOver()) return;
      }
    } catch (error) {
      const problem = withHints(thrownProblem(error, 'reading what the host sent'));
      this.lose({ ...problem, lines: this.#agent.said.lines });
    }
  }

  #take(frame: Frame): void {
    if (frame.type === frameTypes.chunk) {
      this.lose(agentProblem('protocol.illegal-state', 'an agent never sends content'));
      return;
    }
    this.#unfinished = 0;
    if (frame.type === frameTypes.stream) {
      const part = decodeStream(frame.body);
      const unasked = agentProblem('protocol.illegal-state', 'output before the session is open');
      const problem = this.#listener === undefined ? unasked : this.#listener.output(part);
      if (problem !== undefined) this.lose(problem);
      return;
    }
    const text = messageText(frame);
    const message = readMessage(text);
    const isOver = message.type === 'events' ? undefined : this.spend(text.length);
    const problem = isOver ?? this.#dispatch(message, text.length);
    if (problem !== undefined) this.lose(problem);
  }

  #dispatch(message: AgentMessage, length: number): Problem | undefined {
    switch (message.type) {
      case 'hello':
        if (this.#state.name !== 'handshaking') return illegal(message, this.#state);
        this.#hello.resolve(message);
        return undefined;
      case 'goodbye':
        this.#farewell = message.problem;
        return undefined;
      case 'ping':
        // A line that is full shows by what it carries that we live; answers would only pile up.
        if (!this.writer.isFull) this.writer.message({ type: 'pong', id: message.id });
        return undefined;
      default:
        if (this.#state.name === 'closing') return undefined;
        return this.#listener === undefined
          ? illegal(message, this.#state)
          : this.#listener.message(message, length);
    }
  }

  /** Counts silent half beats instead of reading a clock, so a blocked loop of ours is no silence of the peer. */
  #tick(): void {
    this.#silent = this.#received === this.#heard ? this.#silent + 1 : 0;
    this.#heard = this.#received;
    this.#unfinished += 1;
    this.#allowance = Math.min(this.#allowance + allowancePerBeat, allowanceLimit);
    const { heartbeat } = this.#options;
    const isMute = this.#silent >= silentHalves;
    if (isMute || this.#unfinished >= unfinishedHalves) {
      const seconds = ((isMute ? silentHalves : unfinishedHalves) * heartbeat) / 2000;
      const what = isMute ? 'nothing' : 'no whole message';
      const { lines } = this.#agent.said;
      this.lose(connectionProblem('line.silent', `${what} was heard for ${seconds} s`, { lines }));
    } else if (this.#silent > 0 && this.#silent % 2 === 1) this.writer.message({ type: 'ping', id: 0 });
  }

  #lostProblem(exit: Exit | undefined): Problem {
    const how = exit === undefined ? 'its output ended' : describeExit(exit);
    const { lines } = this.#agent.said;
    const cause = this.#farewell ?? exit?.problem;
    const message = `the agent ended: ${this.#farewell?.message ?? how}`;
    return connectionProblem('line.lost', message, { lines, ...(cause !== undefined && { cause }) });
  }
}

function illegal(message: AgentMessage, state: SessionState): Problem {
  return agentProblem('protocol.illegal-state', `${message.type} while the session is ${state.name}`);
}
