/**
 * The sessions of a reconciler: opened once, shared, forgotten when they end.
 * Invariant: one attempt per context however many ask; a failed attempt is not remembered; a bounded number connect at once.
 * Never reopens by itself: who needs a host asks again.
 */

import { setTimeout as pause } from 'node:timers/promises';
import { failure, type Problem, ProblemError, type Result, success } from '../../agent/protocol/problem.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import {
  builtInDefaults,
  type Defaults,
  type RuntimeDefaults,
  type TuningDefaults,
} from '../../inventory/defaults.ts';
import { monotonic, stopwatch } from '../base/clock.ts';
import { connectionProblem } from '../base/problem-codes/connection.ts';
import type { AgentBundle } from './agent-bundle.ts';
import { agentBundle } from './agent-bundle.ts';
import { openSession, type SessionDeadlines, sessionDeadlines } from './agent-session.ts';
import { Gate } from './gate.ts';
import { defaultKnownHosts, onceEach } from './host-keys.ts';
import { KeptSessions } from './kept-sessions.ts';
import type { Runner } from './line.ts';
import { ownCredentials } from './own-credentials.ts';
import { routeSources } from './route-sources.ts';
import { type RouteSources, Routes } from './routes.ts';
import type { RuntimeShipping } from './runtime/shipping.ts';
import { startWithRuntime } from './runtime/start-with-runtime.ts';
import type { HostSession, SessionPool, Survey } from './session.ts';
import { contextKey } from './spec-key.ts';
import type { SshOptions } from './ssh.ts';
import { ownSshConfig, SshConfig } from './ssh-config.ts';
import { sshDeadlines } from './ssh-connection.ts';
import { unlessAborted } from './unless-aborted.ts';
import type { OpenedSession, UsedSession } from './used-session.ts';
import { WaySurvey } from './way-survey.ts';

export interface PoolOptions {
  readonly ssh: SshOptions;
  /** Fills in what nobody declared of a spec; left out, a spec counts as it is. */
  readonly sshConfig?: SshConfig | undefined;
  /** Read by the OpenSSH client instead of the account's own configuration. */
  readonly opensshConfig?: string | undefined;
  readonly session: SessionDeadlines;
  readonly bundle: () => Promise<AgentBundle>;
  /** Milliseconds from the command to the agent's first word; with become twice as long. */
  readonly startDeadline: number;
  /** Connections and agents that may be starting at once. */
  readonly atOnce: number;
  readonly tuning: TuningDefaults;
  readonly runtime: RuntimeDefaults;
  /** Gives runtimes to hosts without one; left out, such a host is refused. */
  readonly shipping?: RuntimeShipping | undefined;
  /** Milliseconds, monotonic; the machine's clock unless set. */
  readonly now?: (() => number) | undefined;
}

/** What a pool uses unless told otherwise; `onWarning` hears of host keys accepted without being known. */
export function poolOptions(
  onWarning: (host: string, warning: string) => void,
  { tuning, runtime }: Pick<Defaults, 'tuning' | 'runtime'> = builtInDefaults,
): PoolOptions {
  return {
    ssh: {
      deadlines: sshDeadlines,
      hostKeys: { files: defaultKnownHosts(), onWarning: onceEach(onWarning) },
      credentials: ownCredentials(),
    },
    sshConfig: new SshConfig(ownSshConfig()),
    session: { ...sessionDeadlines, heartbeat: tuning.heartbeat * 1000 },
    bundle: agentBundle,
    startDeadline: tuning.startTimeout * 1000,
    atOnce: tuning.connections,
    tuning,
    runtime,
  };
}

export class ConnectionPool implements SessionPool {
  readonly #options: PoolOptions;
  readonly #sources: RouteSources;
  readonly #routes: Routes;
  readonly #starting: Gate;
  readonly #attempts = new Map<string, Promise<Result<UsedSession>>>();
  readonly #sessions: KeptSessions;
  readonly #listeners: ((host: string, problem: Problem) => void)[] = [];
  readonly #abort = new AbortController();
  #closed: string | undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#sources = routeSources({
      ssh: { ...options.ssh, signal: this.#abort.signal },
      atOnce: options.atOnce,
      tuning: options.tuning,
      opensshConfig: options.opensshConfig,
      session: (spec) => this.#parent(spec),
    });
    this.#routes = new Routes(this.#sources);
    this.#starting = new Gate(options.atOnce);
    const { contextsPerHost, idleClose } = options.tuning;
    this.#sessions = new KeptSessions(
      { contextsPerHost, idleClose, now: options.now ?? monotonic },
      (host, problem) => {
        for (const listener of this.#listeners) listener(host, problem);
      },
    );
  }

  async open(asked: ConnectionSpec, signal?: AbortSignal): Promise<Result<UsedSession>> {
    const resolved = await this.#resolve(asked, signal);
    if (!resolved.ok) return resolved;
    const spec = resolved.value;
    const key = contextKey(spec);
    const open = this.#sessions.find(key);
    if (open !== undefined) return success(open);
    const attempt = this.#attempts.get(key) ?? this.#attempt(key, spec);
    return unlessAborted(attempt, asked.host, { signal });
  }

  /** Measures ways over lines of this pool. */
  survey(signal?: AbortSignal): Survey {
    return new WaySurvey({
      resolve: (spec) => this.#resolve(spec, signal),
      line: (spec) =>
        unlessAborted(this.#sources.ssh2(spec), spec.host, { signal, late: ({ release }) => release() }),
      session: (spec) => this.open(spec, signal),
    });
  }

  /** The spec with what ssh's configuration says, unless nothing is opened any more. */
  async #resolve(asked: ConnectionSpec, signal: AbortSignal | undefined): Promise<Result<ConnectionSpec>> {
    const { sshConfig } = this.#options;
    const before = this.#refusal(asked.host, signal);
    if (before !== undefined) return failure(before);
    if (sshConfig === undefined) return success(asked);
    const resolved = await sshConfig.resolve(asked);
    const meanwhile = this.#refusal(asked.host, signal);
    return resolved.ok && meanwhile !== undefined ? failure(meanwhile) : resolved;
  }

  #refusal(host: string, signal: AbortSignal | undefined): Problem | undefined {
    const where = { host };
    if (this.#closed !== undefined) return connectionProblem('line.closed', this.#closed, { where });
    return signal?.aborted
      ? connectionProblem('line.cancelled', 'cancelled before connecting', { where })
      : undefined;
  }

  sessions(): readonly HostSession[] {
    return this.#sessions.all();
  }

  onLost(listener: (host: string, problem: Problem) => void): void {
    this.#listeners.push(listener);
  }

  async close(reason: string): Promise<void> {
    this.#closed ??= reason;
    await this.#sessions.close(reason);
    this.#abort.abort();
    // An attempt that succeeds after this is closed by itself; waiting for it is bounded like closing.
    const late = Promise.all(this.#attempts.values());
    await Promise.race([late, pause(this.#options.session.close, undefined, { ref: false })]);
  }

  #attempt(key: string, spec: ConnectionSpec): Promise<Result<UsedSession>> {
    this.#sessions.makeRoom(spec.host);
    const attempt = this.#connect(spec).then((opened) => {
      this.#attempts.delete(key);
      if (!opened.ok) return opened;
      if (this.#closed === undefined) return success(this.#sessions.keep(key, opened.value));
      void opened.value.session.close(this.#closed);
      return failure(connectionProblem('line.closed', this.#closed, { where: { host: spec.host } }));
    });
    this.#attempts.set(key, attempt);
    return attempt;
  }

  async #connect(spec: ConnectionSpec): Promise<Result<OpenedSession>> {
    const reached = await this.#routes.reach(spec);
    if (!reached.ok) return reached;
    const lease = reached.value;
    const started = await this.#start(lease.runner, lease.spec);
    if (started.ok) {
      const { session, agent } = started.value;
      void session.ended.then(() => lease.release());
      return success({ session, setUp: { line: lease.line?.setUpMilliseconds, agent } });
    }
    lease.release();
    return failure(lease.explain(started.problem));
  }

  /** A session that others are reached through. */
  async #parent(spec: ConnectionSpec): Promise<Result<{ readonly session: HostSession; release(): void }>> {
    const opened = await this.open(spec);
    return opened.ok ? success({ session: opened.value, release: opened.value.hold() }) : opened;
  }

  #start(
    runner: Runner,
    spec: ConnectionSpec,
  ): Promise<Result<{ readonly session: HostSession; readonly agent: number }>> {
    const { startDeadline, session } = this.#options;
    return this.#starting.pass(async () => {
      const bundle = await this.#bundle();
      if (!bundle.ok) return bundle;
      const passed = stopwatch();
      const agent = await startWithRuntime(runner, spec, {
        shipping: this.#options.shipping,
        bundle: bundle.value,
        startDeadline: spec.become === undefined ? startDeadline : startDeadline * 2,
        signal: this.#abort.signal,
      });
      if (!agent.ok) return agent;
      const opened = await openSession(spec.host, agent.value, session);
      return opened.ok ? success({ session: opened.value, agent: passed() }) : opened;
    });
  }

  async #bundle(): Promise<Result<AgentBundle>> {
    try {
      return success(await this.#options.bundle());
    } catch (error) {
      if (error instanceof ProblemError) return failure(error.problem);
      throw error;
    }
  }
}
