/**
 * Lets at most so many things happen at once; the others wait in order.
 * Invariant: a place is given back however its holder ends; fewer places push nobody out.
 * Never drops a waiter.
 */

export class Gate {
  readonly #waiting: (() => void)[] = [];
  #places: number;
  #busy = 0;

  constructor(places: number) {
    this.#places = places;
  }

  /** Changes how many may be inside from now on. */
  resize(places: number): void {
    this.#places = places;
    this.#letIn();
  }

  get places(): number {
    return this.#places;
  }

  /** Whether nobody is inside or waits. */
  get isEmpty(): boolean {
    return this.#busy === 0 && this.#waiting.length === 0;
  }

  /** Runs the work when there is a place. */
  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.#busy >= this.#places) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#busy += 1;
    try {
      return await work();
    } finally {
      this.#busy -= 1;
      this.#letIn();
    }
  }

  #letIn(): void {
    while (this.#busy < this.#places) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#busy += 1;
      next();
    }
  }
}
