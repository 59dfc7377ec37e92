/**
 * The calls an agent has not answered yet, by id.
 * Invariant: every call ends once: by its answer, its deadline, or the end of the session.
 * Never reuses an id.
 */

import type { AgentEvent, AgentMessage } from '../../agent/protocol/message.ts';
import { failure, type Problem, ProblemError, type Result, success } from '../../agent/protocol/problem.ts';
import { connectionProblem } from '../base/problem-codes/connection.ts';

/** Messages that end a call. */
export type Answer = Extract<
  AgentMessage,
  { type: 'converged' | 'executed' | 'facts' | 'pong' | 'exited' | 'supplied' }
>;

interface Pending {
  readonly answer: Answer['type'];
  readonly settle: (result: Result<Answer>) => void;
  readonly onEvents: ((events: readonly AgentEvent[]) => void) | undefined;
  timer: NodeJS.Timeout | undefined;
  eventLength: number;
}

/** What became of events: their call took them, has ended already, takes none, or takes no more. */
export type EventsEnd = 'taken' | 'late' | 'unasked' | 'too-many';

export interface CallOptions {
  /** Milliseconds; none for a converge, which the heartbeat watches. */
  readonly deadline?: number | undefined;
  readonly onEvents?: ((events: readonly AgentEvent[]) => void) | undefined;
  /** Characters of events the call takes in all; no limit where a deadline is the limit. */
  readonly eventLength?: number | undefined;
}

export class PendingCalls {
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  /** Opens a call that a message of this type answers; `send` gets its id. What cannot be sent ends it. */
  open<T extends Answer['type']>(
    answer: T,
    send: (id: number) => void,
    options: CallOptions = {},
  ): Promise<Result<Extract<Answer, { type: T }>>> {
    const { promise, resolve } = Promise.withResolvers<Result<Answer>>();
    this.#lastId += 1;
    const id = this.#lastId;
    const { onEvents, deadline, eventLength = Number.POSITIVE_INFINITY } = options;
    this.#pending.set(id, { answer, settle: resolve, onEvents, timer: undefined, eventLength });
    if (deadline !== undefined) this.limit(id, deadline);
    try {
      send(id);
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      this.#end(id, failure(error.problem));
    }
    return promise as Promise<Result<Extract<Answer, { type: T }>>>;
  }

  /** Ends the call a message answers; false when no such call was ever open. Late answers of ended calls are dropped. */
  answer(message: Answer): boolean {
    const call = this.#pending.get(message.id);
    if (call === undefined) return this.wasOpen(message.id);
    if (call.answer !== message.type) return false;
    this.#end(message.id, success(message));
    return true;
  }

  /** Hands events that cost so many characters to their call. */
  events(id: number, events: readonly AgentEvent[], cost: number): EventsEnd {
    const call = this.#pending.get(id);
    if (call === undefined) return this.wasOpen(id) ? 'late' : 'unasked';
    if (call.onEvents === undefined) return 'unasked';
    call.eventLength -= cost;
    if (call.eventLength < 0) return 'too-many';
    call.onEvents(events);
    return 'taken';
  }

  /** Gives a call at most this many milliseconds from now; then it ends with `late`. */
  limit(id: number, deadline: number, late?: Problem): void {
    const call = this.#pending.get(id);
    if (call === undefined) return;
    clearTimeout(call.timer);
    const problem = late ?? connectionProblem('line.call-timeout', `no answer within ${deadline / 1000} s`);
    call.timer = setTimeout(() => this.#end(id, failure(problem)), deadline);
  }

  /** Ends every call with the reason the session ended. */
  rejectAll(problem: Problem): void {
    for (const id of [...this.#pending.keys()]) this.#end(id, failure(problem));
  }

  #end(id: number, result: Result<Answer>): void {
    const call = this.#pending.get(id);
    if (call === undefined) return;
    clearTimeout(call.timer);
    this.#pending.delete(id);
    call.settle(result);
  }

  /** Whether a call with this id was ever made. */
  wasOpen(id: number): boolean {
    return Number.isInteger(id) && id >= 1 && id <= this.#lastId;
  }
}
