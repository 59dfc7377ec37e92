/**
 * The open sessions of a pool by context: found again, counted, recycled, closed when nobody uses them.
 * Invariant: a session that ended or is being closed is not found any more.
 * Never opens one.
 */

import type { Problem } from '../../agent/protocol/problem.ts';
import { contextsToRecycle, idleContexts } from './recycling.ts';
import type { HostSession } from './session.ts';
import { type OpenedSession, UsedSession } from './used-session.ts';

export interface KeepOptions {
  readonly contextsPerHost: number;
  /** Seconds; 0: sessions stay open. */
  readonly idleClose: number;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
}

export class KeptSessions {
  readonly #options: KeepOptions;
  readonly #lost: (host: string, problem: Problem) => void;
  readonly #sessions = new Map<string, UsedSession>();
  #look: NodeJS.Timeout | undefined;

  /** `lost` hears of sessions that ended by themselves. */
  constructor(options: KeepOptions, lost: (host: string, problem: Problem) => void) {
    this.#options = options;
    this.#lost = lost;
  }

  /** The open session of a context, for somebody who is about to use it. */
  find(key: string): UsedSession | undefined {
    return this.#sessions.get(key)?.give();
  }

  all(): readonly HostSession[] {
    return [...this.#sessions.values()];
  }

  /** Keeps a session that was just opened. */
  keep(key: string, opened: OpenedSession): UsedSession {
    const session = new UsedSession(opened, this.#options.now);
    this.#sessions.set(key, session);
    void session.ended.then((problem) => {
      if (this.#sessions.get(key) === session) this.#sessions.delete(key);
      if (problem !== undefined) this.#lost(session.host, problem);
    });
    this.#closeIdle();
    return session;
  }

  /** Closes the youngest idle contexts of a host that would have too many with one more. */
  makeRoom(host: string): void {
    const { contextsPerHost, now } = this.#options;
    const chosen = contextsToRecycle(this.#uses(), { host, limit: contextsPerHost, now: now() });
    for (const key of chosen) this.#close(key, 'the host has too many contexts; this one was idle');
  }

  async close(reason: string): Promise<void> {
    clearTimeout(this.#look);
    await Promise.all(this.all().map((session) => session.close(reason)));
  }

  #uses() {
    return [...this.#sessions].map(([key, session]) => ({ key, ...session.use }));
  }

  #close(key: string, reason: string): void {
    const session = this.#sessions.get(key);
    this.#sessions.delete(key);
    void session?.close(reason);
  }

  #closeIdle(): void {
    const { idleClose, now } = this.#options;
    clearTimeout(this.#look);
    if (idleClose <= 0) return;
    const { close, lookAgainIn } = idleContexts(this.#uses(), idleClose * 1000, now());
    for (const key of close) this.#close(key, 'nobody used the line for a while');
    if (lookAgainIn !== undefined)
      this.#look = setTimeout(() => this.#closeIdle(), Math.max(1, lookAgainIn)).unref();
  }
}
