/**
 * The calls one can make to a host: a HostSession over the frames of one agent.
 * Invariant: every call ends with an answer or a Problem, whatever the agent or the line does.
 * Never sends a plan without offering its contents first.
 */

import type { AgentEvent, AgentMessage, ConvergeResult, HelloMessage } from '../../agent/protocol/message.ts';
import { planResources } from '../../agent/protocol/plan.ts';
import { failure, type Problem, placed, type Result, success } from '../../agent/protocol/problem.ts';
import { PROTOCOL_VERSION } from '../../agent/protocol/version.ts';
import { hintedAgentProblem as agentProblem } from '../base/problem-codes/agent.ts';
import { connectionProblem } from '../base/problem-codes/connection.ts';
import { AgentLine, eventWindow } from './agent-line.ts';
import type { StartedAgent } from './bootstrap.ts';
import { ContentServer } from './content-server.ts';
import { Gate } from './gate.ts';
import { type Answer, PendingCalls } from './pending-calls.ts';
import { type HeldPlan, inlineContents, planOnWire } from './plan-transport.ts';
import type { ConvergeCall, ExecCall, HostSession } from './session.ts';

/** Milliseconds. */
export interface SessionDeadlines {
  readonly hello: number;
  readonly heartbeat: number;
  readonly facts: number;
  readonly ping: number;
  /** Added to what an exec asks for itself. */
  readonly grace: number;
  /** Given to a call that was cancelled: with closing, an end asked for takes at most five seconds. */
  readonly cancel: number;
  readonly close: number;
}

export const sessionDeadlines: SessionDeadlines = {
  hello: 15_000,
  heartbeat: 5_000,
  facts: 60_000,
  ping: 15_000,
  grace: 15_000,
  cancel: 1_500,
  close: 3_000,
};

/** Waits for the agent's hello and opens the session. */
export async function openSession(
  host: string,
  agent: StartedAgent,
  deadlines: SessionDeadlines = sessionDeadlines,
): Promise<Result<AgentSession>> {
  const line = new AgentLine(agent, { host, heartbeat: deadlines.heartbeat });
  const seconds = deadlines.hello / 1000;
  const late = connectionProblem('line.start-timeout', `no hello within ${seconds} s`, {
    lines: agent.said.lines,
  });
  const timer = setTimeout(() => line.lose(late), deadlines.hello);
  const first = await Promise.race([line.hello, line.ended]);
  clearTimeout(timer);
  if (first === undefined || !('type' in first)) {
    return failure(first ?? connectionProblem('line.closed', 'closed before hello'));
  }
  if (first.protocol !== PROTOCOL_VERSION) {
    const versions = `the agent speaks ${first.protocol}, we speak ${PROTOCOL_VERSION}`;
    line.lose(agentProblem('protocol.version-mismatch', versions));
    return failure((await line.ended) ?? late);
  }
  return success(new AgentSession(host, { line, hello: first, deadlines }));
}

/** Characters of events that one converge may send: what its programs print and what it reports. An exec has its deadline instead. */
const eventsPerConverge = 256 * 1024 * 1024;
/** Characters of events that share a frame, at most; one large event comes alone. */
const eventsPerFrame = 2 * eventWindow;
/** What an event costs at least: the work of taking it. */
const leastEventCost = 64;
/** Reports beyond one for each resource of the plan that an answer may have. */
const spareReports = 10;

const cancelled = connectionProblem(
  'line.cancelled',
  'it was stopped; the host finishes what it has in hand, and the next run learns of it',
);

type Events = Extract<AgentMessage, { type: 'events' }>;

interface SessionParts {
  readonly line: AgentLine;
  readonly hello: HelloMessage;
  readonly deadlines: SessionDeadlines;
}

export class AgentSession implements HostSession {
  readonly host: string;
  readonly hello: HelloMessage;
  readonly ended: Promise<Problem | undefined>;
  readonly #line: AgentLine;
  readonly #deadlines: SessionDeadlines;
  readonly #calls = new PendingCalls();
  readonly #contents: ContentServer;
  readonly #held: Map<string, HeldPlan>;
  /** The agent works on one thing at a time: waiting here, a call's deadline has not begun. */
  readonly #turn = new Gate(1);
  #end: Problem | undefined;
  /** Credit to give back as soon as the line takes it. */
  #owed = 0;

  constructor(host: string, parts: SessionParts) {
    this.host = host;
    this.hello = parts.hello;
    this.#line = parts.line;
    this.#deadlines = parts.deadlines;
    this.#contents = new ContentServer(parts.line.writer);
    this.#held = new Map(Object.entries(parts.hello.holds).map(([key, digest]) => [key, { digest }]));
    this.ended = parts.line.ended.then((problem) => {
      this.#end = problem ?? connectionProblem('line.closed', 'the session was closed', { where: { host } });
      this.#calls.rejectAll(this.#end);
      this.#contents.end();
      return problem;
    });
    parts.line.open((message, length) => this.#message(message, length));
  }

  get traffic(): { readonly sent: number; readonly received: number } {
    return { sent: this.#line.writer.sent, received: this.#line.received };
  }

  converge(call: ConvergeCall, signal?: AbortSignal): Promise<Result<ConvergeResult>> {
    return this.#turn.pass(() => this.#convergeInTurn(call, signal));
  }

  exec(call: ExecCall, signal?: AbortSignal): ReturnType<HostSession['exec']> {
    return this.#turn.pass(() => this.#exec(call, signal));
  }

  async facts(): ReturnType<HostSession['facts']> {
    const answered = await this.#turn.pass(() =>
      this.#ask('facts', (id) => this.#line.writer.message({ type: 'facts', id }), {
        deadline: this.#deadlines.facts,
      }),
    );
    return answered.ok
      ? success({ facts: answered.value.facts, problems: answered.value.problems })
      : answered;
  }

  async ping(): Promise<Result<number>> {
    const start = performance.now();
    const answered = await this.#ask('pong', (id) => this.#line.writer.message({ type: 'ping', id }), {
      deadline: this.#deadlines.ping,
    });
    return answered.ok ? success(performance.now() - start) : answered;
  }

  recorded(runs: readonly string[]): void {
    if (this.#line.isOpen && runs.length > 0)
      this.#line.writer.message({ type: 'recorded', runs: [...runs] });
  }

  close(reason: string): Promise<void> {
    return this.#line.close(reason, this.#deadlines.close);
  }

  async #convergeInTurn(
    call: ConvergeCall,
    signal: AbortSignal | undefined,
  ): Promise<Result<ConvergeResult>> {
    this.#contents.offer(call.plan, call.contents);
    const first = await this.#converge(call, this.#held.get(call.key), signal);
    const held = first.ok && first.value.problem?.code === 'agent.plan-not-held';
    if (!held) return first;
    this.#held.delete(call.key);
    return this.#converge({ ...call, applied: undefined }, undefined, signal);
  }

  async #exec(
    call: ExecCall,
    signal: AbortSignal | undefined,
  ): Promise<Result<{ readonly status: number | null; readonly signal: string | null }>> {
    const { argv, stdin, timeout } = call;
    const rest = stdin === undefined ? {} : { stdin };
    const answered = await this.#ask(
      'executed',
      (id) => this.#line.writer.message({ type: 'exec', id, argv: [...argv], timeout, ...rest }),
      {
        deadline: timeout * 1000 + this.#deadlines.grace,
        signal,
        onEvents: (events) => {
          for (const event of events) if (event.event === 'output') call.onOutput(event.stream, event.text);
        },
      },
    );
    if (!answered.ok) return answered;
    const { problem, status, signal: killed } = answered.value;
    return problem === undefined
      ? success({ status, signal: killed })
      : failure(placed(problem, { host: this.host }));
  }

  async #converge(
    call: ConvergeCall,
    held: HeldPlan | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Result<ConvergeResult>> {
    const { run, mode, key, digest } = call;
    const plan = planOnWire(call, held);
    const inline = inlineContents(call, plan);
    const options = {
      ...(inline.length > 0 && { inline: [...inline] }),
      ...(call.tags !== undefined && { tags: [...call.tags] }),
      ...(call.drift === true && { drift: true }),
      ...(call.skipTags !== undefined && { skipTags: [...call.skipTags] }),
    };
    const send = (id: number): void => {
      this.#line.writer.message({ type: 'converge', id, run, mode, key, digest, plan, ...options });
      void this.#contents.sendInline(inline);
      this.#held.set(key, { digest, plan: call.plan });
    };
    const answered = await this.#ask('converged', send, {
      signal,
      onEvents: call.onEvents,
      eventLength: eventsPerConverge,
    });
    if (!answered.ok) return answered;
    const { result } = answered.value;
    if (isAbout(result, call)) return success(result);
    const problem = agentProblem('protocol.bad-message', 'the answer is about another run, plan or role');
    this.#line.lose(problem);
    return failure(placed(problem, { host: this.host }));
  }

  async #ask<T extends Answer['type']>(
    answer: T,
    send: (id: number) => void,
    options: {
      readonly deadline?: number;
      readonly signal?: AbortSignal | undefined;
      readonly onEvents?: (events: readonly AgentEvent[]) => void;
      readonly eventLength?: number;
    },
  ): Promise<Result<Extract<Answer, { type: T }>>> {
    const { signal } = options;
    const where = { host: this.host };
    if (!this.#line.isOpen) {
      return failure(this.#end ?? connectionProblem('line.closed', 'the session is closing', { where }));
    }
    if (signal?.aborted)
      return failure(connectionProblem('line.cancelled', 'cancelled before it was sent', { where }));
    this.#line.allowCall();
    let call = 0;
    const cancel = (): void => {
      this.#line.writer.message({ type: 'cancel', id: call, reason: 'cancelled by the reconciler' });
      this.#calls.limit(call, this.#deadlines.cancel, cancelled);
    };
    const answered = this.#calls.open(
      answer,
      (id) => {
        call = id;
        send(id);
      },
      options,
    );
    signal?.addEventListener('abort', cancel);
    const result = await answered;
    signal?.removeEventListener('abort', cancel);
    return result.ok ? result : failure(placed(result.problem, where));
  }

  #message(message: AgentMessage, length: number): Problem | undefined {
    switch (message.type) {
      case 'events':
        return this.#events(message, length);
      case 'need':
        return this.#contents.serve(message);
      case 'pong':
        if (message.id !== 0) this.#calls.answer(message);
        return undefined;
      case 'converged':
      case 'executed':
      case 'facts':
        if (this.#calls.answer(message)) return undefined;
        return agentProblem('protocol.illegal-state', `${message.type} for a call that was never made`);
      case 'hello':
      case 'ping':
      case 'goodbye':
        return undefined;
      default:
        return message satisfies never;
    }
  }

  /** What was consumed may be sent again. Events of a call that has ended cost the context. */
  #events({ id, events }: Events, length: number): Problem | undefined {
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
    const isOnItsWay = this.#owed > 0;
    this.#owed += bytes;
    if (isOnItsWay) return;
    void this.#line.writer.ready().then(() => {
      if (this.#line.isOpen) this.#line.writer.message({ type: 'credit', bytes: this.#owed });
      this.#owed = 0;
    });
  }
}

/** The agent counts the JSON of each event: what is left of a text of events without what stands around and between them. */
function eventCredit(id: number, count: number, length: number): number {
  const around = JSON.stringify({ type: 'events', id, events: [] }).length;
  return Math.max(1, length - around - (count - 1));
}

/** Whether an answer is one to this call: about its run and plan, with about as many reports as the plan has resources. */
function isAbout(result: ConvergeResult, call: ConvergeCall): boolean {
  const isSame = result.key === call.key && result.run === call.run && result.digest === call.digest;
  const most = planResources(call.plan).length + spareReports;
  return isSame && result.mode === call.mode && result.reports.length <= most;
}
