/**
 * Lets at most so many things happen at once; the others wait in order.
 * Invariant: a place is given back however its holder ends.
 * Never drops a waiter.
 */

export class Gate {
  readonly #places: number;
  readonly #waiting: (() => void)[] = [];
  #busy = 0;

  constructor(places: number) {
    this.#places = places;
  }

  /** Runs the work when there is a place. */
  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.#busy >= this.#places) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#busy += 1;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#busy -= 1;
      else next();
    }
  }
}
