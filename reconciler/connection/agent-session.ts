/**
 * The calls one can make to a host: a HostSession over the frames of one agent.
 * Invariant: every call ends with an answer or a Problem, whatever the agent or the line does.
 * Never sends a plan without offering its contents first.
 */

import type { AgentEvent, AgentMessage, ConvergeResult, HelloMessage } from '../../agent/protocol/message.ts';
import { failure, type Problem, placed, type Result, success } from '../../agent/protocol/problem.ts';
import { PROTOCOL_VERSION } from '../../agent/protocol/version.ts';
import { stopwatch } from '../base/clock.ts';
import { hintedAgentProblem as agentProblem } from '../base/problem-codes/agent.ts';
import { connectionProblem } from '../base/problem-codes/connection.ts';
import { AgentLine } from './agent-line.ts';
import type { StartedAgent } from './bootstrap.ts';
import { ContentServer } from './content-server.ts';
import { EventFlow, eventsPerConverge } from './event-flow.ts';
import { Gate } from './gate.ts';
import type { RemoteProcess, Supply } from './line.ts';
import { type Answer, PendingCalls } from './pending-calls.ts';
import { type HeldPlan, inlineContents, isAbout, planOnWire } from './plan-transport.ts';
import { RemotePrograms } from './remote-programs.ts';
import type { ConvergeCall, ExecCall, HostSession } from './session.ts';
import { type SessionDeadlines, sessionDeadlines } from './session-deadlines.ts';

export { type SessionDeadlines, sessionDeadlines } from './session-deadlines.ts';

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

const cancelled = connectionProblem(
  'line.cancelled',
  'it was stopped; the host finishes what it has in hand, and the next run learns of it',
);

type Exited = Extract<AgentMessage, { type: 'exited' }>;

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
  readonly #events: EventFlow;
  readonly #programs: RemotePrograms;
  #end: Problem | undefined;

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
    this.#events = new EventFlow(parts.line, this.#calls);
    this.#programs = new RemotePrograms({
      writer: parts.line.writer,
      supply: (program, supply) => this.#supply(program, supply),
      wasOpen: (id) => this.#calls.wasOpen(id),
      spend: (bytes) => parts.line.spend(bytes),
    });
    parts.line.open({
      message: (message, length) => this.#message(message, length),
      output: (part) => this.#programs.output(part),
    });
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
    const passed = stopwatch();
    const answered = await this.#ask('pong', (id) => this.#line.writer.message({ type: 'ping', id }), {
      deadline: this.#deadlines.ping,
    });
    return answered.ok ? success(passed()) : answered;
  }

  /** Beside the call in hand: a program that cannot start has an end that says so. */
  async start(argv: readonly string[]): Promise<Result<RemoteProcess>> {
    let opened = 0;
    const exited = this.#ask('exited', (id) => {
      opened = id;
      this.#line.writer.message({ type: 'open', id, argv: [...argv] });
    });
    if (opened !== 0)
      return success(
        this.#programs.add(
          opened,
          exited.then((end) => this.#placedExit(end)),
        ),
      );
    const never = await exited;
    return never.ok ? failure(connectionProblem('line.closed', 'the session is closing')) : never;
  }

  #placedExit(end: Result<Exited>): Result<Exited> {
    if (!end.ok || end.value.problem === undefined) return end;
    return success({ ...end.value, problem: placed(end.value.problem, { host: this.host }) });
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

  /** The content is offered while its supply is under way, no longer. */
  async #supply(program: number, supply: Supply): Promise<Result<void>> {
    const { content, offset, bytes, form, store } = supply;
    const takeBack = this.#contents.lend(content, store);
    const answered = await this.#ask('supplied', (id) =>
      this.#line.writer.message({ type: 'supply', id, program, content, offset, bytes, form }),
    );
    takeBack();
    if (!answered.ok) return answered;
    const { problem } = answered.value;
    return problem === undefined ? success(undefined) : failure(placed(problem, { host: this.host }));
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
      this.#contents.sendInline(inline);
      this.#held.set(key, { digest, plan: call.plan });
    };
    const answered = await this.#ask('converged', send, {
      signal,
      onEvents: call.onEvents,
      eventLength: eventsPerConverge,
    });
    this.#contents.rest();
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
    } = {},
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
        return this.#events.take(message, length);
      case 'window':
        return this.#programs.window(message);
      case 'need':
        return this.#contents.serve(message);
      case 'pong':
        if (message.id !== 0) this.#calls.answer(message);
        return undefined;
      case 'converged':
      case 'executed':
      case 'facts':
      case 'exited':
      case 'supplied':
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
}
