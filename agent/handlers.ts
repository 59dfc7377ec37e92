/**
 * Which handlers are due: those that something changed has notified, each once, in the order the role declares them.
 * Invariant: a handler owed by an interrupted run is due as well; a handler that ran is not due again in the same converge.
 * Pure bookkeeping; running them is converge's work.
 */

import type { PlannedHandler } from './protocol/plan.ts';

export class Handlers {
  readonly #declared: readonly PlannedHandler[];
  readonly #due: Set<string>;

  constructor(declared: readonly PlannedHandler[], owed: Iterable<string>) {
    this.#declared = declared;
    this.#due = new Set(owed);
  }

  notify(names: readonly string[]): void {
    for (const name of names) this.#due.add(name);
  }

  /** The next due handler in declared order, taken off the list; a handler may notify only later ones. */
  *take(): Generator<PlannedHandler> {
    for (const handler of this.#declared) {
      if (this.#due.delete(handler.name)) yield handler;
    }
  }
}
