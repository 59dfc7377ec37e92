/**
 * When hosts that did not succeed are tried again: one timer per environment.
 * Invariant: a new plan for an environment replaces the old one; a timer that went off is forgotten.
 * Never runs anything: it only says that a retry is due.
 */

import type { FailedAttempt } from './base/ledger.ts';
import { nextRetry } from './plan/retry.ts';

export class RetryTimers {
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #due: (environment: string, hosts: ReadonlySet<string>) => void;

  constructor(due: (environment: string, hosts: ReadonlySet<string>) => void) {
    this.#due = due;
  }

  /** Plans the next retry of an environment from its failed attempts; none: no retry. */
  plan(
    environment: string,
    failed: readonly FailedAttempt[],
    { now, random }: { readonly now: number; readonly random: () => number },
  ): void {
    this.end(environment);
    const retry = nextRetry(failed, now, random);
    if (retry === undefined) return;
    const timer = setTimeout(() => {
      this.#timers.delete(environment);
      this.#due(environment, retry.hosts);
    }, retry.wait);
    this.#timers.set(environment, timer);
  }

  /** No retry for this environment any more. */
  end(environment: string): void {
    clearTimeout(this.#timers.get(environment));
    this.#timers.delete(environment);
  }

  stop(): void {
    for (const environment of [...this.#timers.keys()]) this.end(environment);
  }
}
