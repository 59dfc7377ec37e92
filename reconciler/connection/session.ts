/**
 * What the rest of the reconciler knows of a line to a host: a session with its agent, and who opens one.
 * Invariant: every call ends, with a result or a Problem, also when the line dies; a session that ended stays ended.
 * Never exposes a stream, a socket or a library's type.
 */

import type { Facts } from '../../agent/protocol/facts.ts';
import type { AgentEvent, ConvergeMode, ConvergeResult, HelloMessage } from '../../agent/protocol/message.ts';
import type { RolePlan } from '../../agent/protocol/plan.ts';
import type { Problem, Result } from '../../agent/protocol/problem.ts';
import type { ConnectionSpec, ContainerKind } from '../../inventory/connection-spec.ts';
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

/** How a hop is reached: from here, or with help of the hop before it, through a stream of it or by its agent. */
export type HopKind = 'ssh' | 'tunnel' | 'openssh' | 'relayed' | 'local' | ContainerKind;

/** One host on a way, and what could be measured of it; what is absent could not. */
export interface Hop {
  readonly host: string;
  readonly kind: HopKind;
  /** Until it could be used, once the hops before it could: the login, and the start of its agent where one runs. */
  readonly setUpMilliseconds?: number | undefined;
  /** The part of that for the agent, where it can be told from the login. */
  readonly agentMilliseconds?: number | undefined;
  /** From here to there and back over the open lines: the quickest of a few. */
  readonly roundTripMilliseconds?: number | undefined;
  /** Why the way ends here. */
  readonly problem?: Problem | undefined;
}

export interface Way {
  /** Outermost first, up to the host itself or to the one where the way ends. */
  readonly hops: readonly Hop[];
  /** Open, unless the way ends before. */
  readonly session?: HostSession | undefined;
}

/** Measures ways to hosts; a hop that several share is measured once. */
export interface Survey {
  /** Reaches a host as anything else would, hop by hop, and tells how long each took. */
  reach(spec: ConnectionSpec): Promise<Way>;
  /** Adds the round trips; worth most while nothing else goes on. */
  measure(way: Way): Promise<Way>;
  /** Gives back what it held on the ways. */
  end(): void;
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
