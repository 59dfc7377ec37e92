/**
 * The flow of events from an agent: what a frame of them may hold, what it costs, and the credit that is given back.
 * Invariant: credit goes back only for what was taken, and only as fast as the line takes messages.
 * Never reads what an event says.
 */

import type { AgentMessage } from '../../agent/protocol/message.ts';
import type { Problem } from '../../agent/protocol/problem.ts';
import { hintedAgentProblem as agentProblem } from '../base/problem-codes/agent.ts';
import { connectionProblem } from '../base/problem-codes/connection.ts';
import { type AgentLine, eventWindow } from './agent-line.ts';
import type { PendingCalls } from './pending-calls.ts';

/** Characters of events that one converge may send: what its programs print and what it reports. An exec has its deadline instead. */
export const eventsPerConverge = 256 * 1024 * 1024;
/** Characters of events that share a frame, at most; one large event comes alone. */
const eventsPerFrame = 2 * eventWindow;
/** Credit goes back in portions of at least so many characters: the agent has the rest of its window meanwhile. */
const creditFrom = eventWindow / 4;
/** What an event costs at least: the work of taking it. */
const leastEventCost = 64;

type Events = Extract<AgentMessage, { type: 'events' }>;

export class EventFlow {
  readonly #line: AgentLine;
  readonly #calls: PendingCalls;
  /** Credit to give back as soon as it is worth a message and the line takes it. */
  #owed = 0;
  #isOnItsWay = false;

  constructor(line: AgentLine, calls: PendingCalls) {
    this.#line = line;
    this.#calls = calls;
  }

  /** What was consumed may be sent again. Events of a call that has ended cost the context. */
  take({ id, events }: Events, length: number): Problem | undefined {
    if (events.length === 0) return agentProblem('protocol.illegal-state', 'a message of events without any');
    if (events.length > 1 && length > eventsPerFrame)
      return connectionProblem('line.flooded', `${events.length} events in ${length} characters at once`);
    const cost = Math.max(length, leastEventCost * events.length);
    const end = this.#calls.events(id, events, cost);
    if (end === 'unasked')
      return agentProblem('protocol.illegal-state', 'events for a call that was never made or has none');
    if (end === 'too-many')
      return connectionProblem(
        'line.flooded',
        `events of more than ${eventsPerConverge} characters in one call`,
      );
    this.#giveCredit(eventCredit(id, events.length, length));
    return end === 'late' ? this.#line.spend(cost) : undefined;
  }

  /** Gives credit back once the line takes it, all that is owed by then in one message. */
  #giveCredit(bytes: number): void {
    this.#owed += bytes;
    if (this.#isOnItsWay || this.#owed < creditFrom) return;
    this.#isOnItsWay = true;
    void this.#line.writer.ready().then(() => {
      if (this.#line.isOpen) this.#line.writer.message({ type: 'credit', bytes: this.#owed });
      this.#owed = 0;
      this.#isOnItsWay = false;
    });
  }
}

/** The agent counts the JSON of each event: what is left of a text of events without what stands around and between them. */
function eventCredit(id: number, count: number, length: number): number {
  const around = JSON.stringify({ type: 'events', id, events: [] }).length;
  return Math.max(1, length - around - (count - 1));
}
