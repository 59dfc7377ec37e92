/**
 * The calls an agent has not answered yet, by id.
 * Invariant: every call ends once: by its answer, its deadline, or the end of the session.
 * Never reuses an id.
 */

import type { AgentEvent, AgentMessage } from '../../agent/protocol/message.ts';
import { failure, type Problem, ProblemError, type Result, success } from '../../agent/protocol/problem.ts';
import { connectionProblem } from '../base/problem-codes/connection.ts';

/** Messages that end a call. */
export type Answer = Extract<AgentMessage, { type: 'converged' | 'executed' | 'facts' | 'pong' }>;

interface Pending {
  readonly answer: Answer['type'];
  readonly settle: (result: Result<Answer>) => void;
  readonly onEvents: ((events: readonly AgentEvent[]) => void) | undefined;
  timer: NodeJS.Timeout | undefined;
}

export interface CallOptions {
  /** Milliseconds; none for a converge, which the heartbeat watches. */
  readonly deadline?: number | undefined;
  readonly onEvents?: ((events: readonly AgentEvent[]) => void) | undefined;
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
    this.#pending.set(id, { answer, settle: resolve, onEvents: options.onEvents, timer: undefined });
    if (options.deadline !== undefined) this.limit(id, options.deadline);
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
    if (call === undefined) return this.#wasOpen(message.id);
    if (call.answer !== message.type) return false;
    this.#end(message.id, success(message));
    return true;
  }

  /** Hands events to their call; false when no such call was ever open. */
  events(id: number, events: readonly AgentEvent[]): boolean {
    const call = this.#pending.get(id);
    if (call === undefined) return this.#wasOpen(id);
    call.onEvents?.(events);
    return true;
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

  #wasOpen(id: number): boolean {
    return Number.isInteger(id) && id >= 1 && id <= this.#lastId;
  }
}
