/**
 * Message → action, complete over what a reconciler may say once the session is open.
 * Invariant: one piece of work at a time, in the order asked; every asked id is answered once.
 * Never throws into the channel.
 */

import type { Blobs } from './blobs.ts';
import type { Channel } from './channel.ts';
import { ContentCache } from './content-cache.ts';
import { type HeldPlan, runConverge } from './converge-call.ts';
import { gatherFacts } from './facts/gather.ts';
import type { Journal } from './journal.ts';
import { Programs } from './programs.ts';
import type { Content } from './protocol/blob.ts';
import type { Facts } from './protocol/facts.ts';
import type { ConvergeMessage, ExecMessage, ReconcilerMessage } from './protocol/message.ts';
import type { Problem } from './protocol/problem.ts';
import { agentProblem, thrownProblem } from './protocol/problem-codes.ts';
import { runProgram } from './system/exec.ts';

export interface DispatchOptions {
  readonly channel: Channel;
  readonly blobs: Blobs;
  readonly journal: Journal;
  readonly lockDirectory: string;
  /** Identity of this agent's code. */
  readonly agent: string;
  /** This agent's code as it came, for the programs that are to run it. */
  readonly code?: Buffer | undefined;
  readonly now: () => number;
  readonly date: () => string;
}

type Work = Exclude<ReconcilerMessage, { type: 'welcome' | 'close' }>;

export class Dispatcher {
  readonly #options: DispatchOptions;
  /** key → the plan of the last converge call. */
  readonly held = new Map<string, HeldPlan>();
  readonly programs: Programs;
  facts: Facts | undefined;
  #work: Promise<void> = Promise.resolve();
  readonly #stops = new Map<number, AbortController>();

  constructor(options: DispatchOptions) {
    this.#options = options;
    const { channel, blobs, agent, code } = options;
    const fetch = async (content: Content) =>
      code && content.sha256 === agent ? [code] : blobs.open(content);
    this.programs = new Programs(channel, new ContentCache(fetch));
  }

  dispatch(message: Work): void {
    const { channel, blobs, journal } = this.#options;
    switch (message.type) {
      case 'converge':
        blobs.expect(message.inline ?? []);
        return this.#enqueue(message.id, (stop) => this.#converge(message, stop));
      case 'exec':
        return this.#enqueue(message.id, (stop) => this.#exec(message, stop));
      case 'facts':
        return this.#enqueue(message.id, () => this.#facts(message.id));
      case 'cancel':
        return this.#stops.get(message.id)?.abort(agentProblem('agent.cancelled', message.reason));
      case 'open':
        return this.programs.open(message);
      case 'window':
        return this.programs.window(message);
      case 'shut':
        return this.programs.shut(message);
      case 'supply':
        return this.programs.supply(message);
      case 'refuse':
        return blobs.refuse(message.sha256, message.problem);
      case 'credit':
        return channel.grant(message.bytes);
      case 'recorded':
        this.#work = this.#work.then(() => journal.recorded(message.runs));
        return;
      case 'ping':
        return channel.send({ type: 'pong', id: message.id });
      case 'pong':
        return;
      default:
        return message satisfies never;
    }
  }

  /** Stops what runs at its next boundary, for this reason, and waits until it has stopped. */
  async finish(reason: Problem): Promise<void> {
    for (const stop of this.#stops.values()) stop.abort(reason);
    await Promise.all([this.#work, this.programs.finish()]);
  }

  #enqueue(id: number, act: (stop: AbortSignal) => Promise<void>): void {
    const stop = new AbortController();
    this.#stops.set(id, stop);
    this.#work = this.#work.then(async () => {
      await act(stop.signal);
      this.#stops.delete(id);
    });
  }

  async #converge(message: ConvergeMessage, stop: AbortSignal): Promise<void> {
    const result = await runConverge(message, {
      ...this.#options,
      held: this.held,
      facts: this.facts as Facts,
      stop,
      emit: (event) => this.#options.channel.event(message.id, event),
    });
    const { channel } = this.#options;
    try {
      channel.send({ type: 'converged', id: message.id, result });
    } catch {
      // Too large for a frame: the events told the changes already.
      const reports = result.reports.map((report) => ({ ...report, changes: [] }));
      channel.send({ type: 'converged', id: message.id, result: { ...result, reports } });
    }
  }

  async #exec(message: ExecMessage, stop: AbortSignal): Promise<void> {
    const { channel } = this.#options;
    const answer = (status: number | null, signal: string | null, problem?: Problem): void =>
      channel.send({ type: 'executed', id: message.id, status, signal, problem });
    try {
      const ended = await runProgram(message.argv, {
        timeout: message.timeout,
        signal: stop,
        stdin: message.stdin,
        cwd: message.cwd,
        onOutput(stream, text) {
          channel.event(message.id, { event: 'output', resource: '', stream, text });
          return channel.room();
        },
      });
      const late = ended.timedOut
        ? agentProblem('resource.timeout', `not done after ${message.timeout} seconds`)
        : undefined;
      answer(ended.status, ended.signal, late);
    } catch (error) {
      answer(null, null, thrownProblem(error));
    }
  }

  async #facts(id: number): Promise<void> {
    const { facts, problems } = await gatherFacts();
    this.facts = facts;
    this.#options.channel.send({ type: 'facts', id, facts, problems: [...problems] });
  }
}
