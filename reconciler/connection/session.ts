/**
 * What the rest of the reconciler knows of a line to a host: a session with its agent, and who opens one.
 * Invariant: every call ends, with a result or a Problem, also when the line dies; a session that ended stays ended.
 * Never exposes a stream, a socket or a library's type.
 */

import type { Facts } from '../../agent/protocol/facts.ts';
import type { AgentEvent, ConvergeMode, ConvergeResult, HelloMessage } from '../../agent/protocol/message.ts';
import type { RolePlan } from '../../agent/protocol/plan.ts';
import type { Problem, Result } from '../../agent/protocol/problem.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import type { ContentStore } from '../base/content.ts';
import type { RemoteProcess } from './line.ts';

export interface ConvergeCall {
  readonly run: string;
  readonly mode: ConvergeMode;
  /** `environment/role`. */
  readonly key: string;
  readonly digest: string;
  readonly plan: RolePlan;
  readonly contents: ContentStore;
  /** The plan that the ledger says this host had last: what may travel as a delta, and whose contents the host has. */
  readonly applied?: { readonly digest: string; readonly plan: RolePlan } | undefined;
  /** The plan was applied before: one-shot commands are not repeated. */
  readonly drift?: boolean | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly skipTags?: readonly string[] | undefined;
  readonly onEvents: (events: readonly AgentEvent[]) => void;
}

export interface ExecCall {
  readonly argv: readonly string[];
  readonly stdin?: string | undefined;
  /** Seconds. */
  readonly timeout: number;
  readonly onOutput: (stream: 'stdout' | 'stderr', text: string) => void;
}

export interface HostSession {
  readonly host: string;
  readonly hello: HelloMessage;
  /** Sends the plan as held, delta or whole, whichever the agent can take, with small contents inline; serves what it pulls. */
  converge(call: ConvergeCall, signal?: AbortSignal): Promise<Result<ConvergeResult>>;
  exec(
    call: ExecCall,
    signal?: AbortSignal,
  ): Promise<Result<{ readonly status: number | null; readonly signal: string | null }>>;
  /** Starts a program on the host, beside whatever else the agent does; it ends with the session. */
  start(argv: readonly string[]): Promise<Result<RemoteProcess>>;
  facts(): Promise<Result<{ readonly facts: Facts; readonly problems: readonly Problem[] }>>;
  /** Round trip in milliseconds. */
  ping(): Promise<Result<number>>;
  /** Tells the agent that these runs of its journal are recorded. */
  recorded(runs: readonly string[]): void;
  /** Ends the agent and the line; waits at most a few seconds. */
  close(reason: string): Promise<void>;
  /** Settles when the session has ended, with why unless it was closed from here. */
  readonly ended: Promise<Problem | undefined>;
  /** Bytes over this line so far. */
  readonly traffic: { readonly sent: number; readonly received: number };
}

/** Gives sessions and keeps them: one line per connection, one attempt per host however many ask. */
export interface SessionPool {
  /** An open session, reused when there is one. */
  open(spec: ConnectionSpec, signal?: AbortSignal): Promise<Result<HostSession>>;
  /** The open sessions. */
  sessions(): readonly HostSession[];
  /** Called when a session of the pool ends by itself. */
  onLost(listener: (host: string, problem: Problem) => void): void;
  close(reason: string): Promise<void>;
}
