/**
 * A session that knows whether it is in use: calls under way, programs beside them, lines that go through it.
 * Invariant: every call counts from before it is made until it has ended, however it ends.
 * Never closes itself.
 */

import type { Result } from '../../agent/protocol/problem.ts';
import type { RemoteProcess } from './line.ts';
import type { ContextUse } from './recycling.ts';
import type { ConvergeCall, ExecCall, HostSession } from './session.ts';

/** How long it took to get a session, in milliseconds. */
export interface SetUp {
  /** The line, where one of its own leads there. */
  readonly line?: number | undefined;
  /** From the command that starts the agent, or what leads to it, until its hello. */
  readonly agent: number;
}

/** A session that was just opened. */
export interface OpenedSession {
  readonly session: HostSession;
  readonly setUp: SetUp;
}

export class UsedSession implements HostSession {
  readonly host: string;
  readonly hello: HostSession['hello'];
  readonly ended: HostSession['ended'];
  readonly setUp: SetUp;
  readonly #session: HostSession;
  readonly #now: () => number;
  readonly #openedAt: number;
  #usedAt: number;
  #calls = 0;
  #children = 0;

  constructor({ session, setUp }: OpenedSession, now: () => number) {
    this.setUp = setUp;
    this.host = session.host;
    this.hello = session.hello;
    this.ended = session.ended;
    this.#session = session;
    this.#now = now;
    this.#openedAt = now();
    this.#usedAt = this.#openedAt;
  }

  get traffic(): HostSession['traffic'] {
    return this.#session.traffic;
  }

  /** Its use now. */
  get use(): Omit<ContextUse, 'key'> {
    const { host } = this;
    const [openedAt, usedAt] = [this.#openedAt, this.#usedAt];
    return { host, openedAt, usedAt, calls: this.#calls, children: this.#children };
  }

  /** Somebody gets it and is about to use it. */
  give(): this {
    this.#usedAt = this.#now();
    return this;
  }

  /** A line goes through it until what is given back is called. */
  hold(): () => void {
    let isHeld = true;
    this.#children += 1;
    return () => {
      if (isHeld) this.#children -= 1;
      isHeld = false;
      this.give();
    };
  }

  converge(call: ConvergeCall, signal?: AbortSignal): ReturnType<HostSession['converge']> {
    return this.#counted(() => this.#session.converge(call, signal));
  }

  exec(call: ExecCall, signal?: AbortSignal): ReturnType<HostSession['exec']> {
    return this.#counted(() => this.#session.exec(call, signal));
  }

  async start(argv: readonly string[]): Promise<Result<RemoteProcess>> {
    const started = await this.#counted(() => this.#session.start(argv));
    if (started.ok) void this.#counted(() => started.value.exited);
    return started;
  }

  facts(): ReturnType<HostSession['facts']> {
    return this.#counted(() => this.#session.facts());
  }

  ping(): ReturnType<HostSession['ping']> {
    return this.#counted(() => this.#session.ping());
  }

  recorded(runs: readonly string[]): void {
    this.#session.recorded(runs);
  }

  close(reason: string): Promise<void> {
    return this.#session.close(reason);
  }

  async #counted<T>(work: () => Promise<T>): Promise<T> {
    this.#calls += 1;
    try {
      return await work();
    } finally {
      this.#calls -= 1;
      this.give();
    }
  }
}
