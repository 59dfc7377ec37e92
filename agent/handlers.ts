/**
 * Which handlers are due: those that something changed has notified, each once, in the order the role declares them.
 * Invariant: a handler owed by an interrupted run is due as well; one that only may have been notified (in a dry run) says so.
 * Pure bookkeeping; running them is converge's work.
 */

import type { PlannedHandler } from './protocol/plan.ts';

export class Handlers {
  readonly #declared: readonly PlannedHandler[];
  readonly #due = new Map<string, boolean>();

  constructor(declared: readonly PlannedHandler[], owed: Iterable<string>) {
    this.#declared = declared;
    this.notify(owed, true);
  }

  /** `isSure`: what notifies did change; otherwise a dry run cannot know whether it will. */
  notify(names: Iterable<string>, isSure: boolean): void {
    for (const name of names) this.#due.set(name, isSure || this.#due.get(name) === true);
  }

  /** The next due handler in declared order, taken off the list; a handler may notify only later ones. */
  *take(): Generator<{ readonly handler: PlannedHandler; readonly isSure: boolean }> {
    for (const handler of this.#declared) {
      const isSure = this.#due.get(handler.name);
      if (isSure !== undefined) yield { handler, isSure };
    }
  }
}
