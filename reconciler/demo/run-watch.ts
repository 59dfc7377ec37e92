/**
 * Watches runs from their events: when one was noticed, planned and done, and which hosts took part.
 * Invariant: every run that ends is given out once, in order; nobody waits longer than the deadline.
 * Never influences a run.
 */

import type { EventSink, RunEvent, RunSummary } from '../base/event.ts';

/** A run that has ended. Moments are milliseconds since the epoch. */
export interface SeenRun {
  readonly run: string;
  readonly noticedAt: number;
  readonly plannedAt: number;
  readonly endedAt: number;
  /** Hosts that were sent a role. */
  readonly contacted: ReadonlySet<string>;
  readonly summary: RunSummary;
}

interface Open {
  readonly noticedAt: number;
  plannedAt: number;
  readonly contacted: Set<string>;
}

export class RunWatch {
  readonly #open = new Map<string, Open>();
  readonly #ended: SeenRun[] = [];
  #wake: () => void = () => {};

  readonly sink: EventSink = (event) => this.#take(event);

  /** The next run that ended; undefined when none did in time or the signal was given. */
  async next(signal: AbortSignal): Promise<SeenRun | undefined> {
    while (this.#ended.length === 0 && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    return this.#ended.shift();
  }

  #take(event: RunEvent): void {
    const at = Date.parse(event.at);
    if (event.type === 'run-started') {
      this.#open.set(event.run, { noticedAt: at, plannedAt: at, contacted: new Set() });
    }
    const open = this.#open.get(event.run);
    if (open === undefined) return;
    if (event.type === 'planned') open.plannedAt = at;
    if (event.type === 'role-started') for (const host of event.hosts) open.contacted.add(host);
    if (event.type !== 'run-finished') return;
    this.#open.delete(event.run);
    this.#ended.push({ ...open, run: event.run, endedAt: at, summary: event.summary });
    this.#wake();
  }
}
