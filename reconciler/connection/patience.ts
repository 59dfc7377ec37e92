/**
 * Whether an attempt waits for a person at the moment: then no deadline counts.
 * Invariant: what waits is known until it ends, however it ends.
 * Never waits by itself.
 */

export class Patience {
  /** Called when waiting begins or ends. */
  onChange: (() => void) | undefined;
  #waits: Promise<unknown> | undefined;

  /** What is waited for now. */
  get waits(): Promise<unknown> | undefined {
    return this.#waits;
  }

  async wait<T>(work: Promise<T>): Promise<T> {
    const quiet = work.catch(() => {});
    this.#waits = quiet;
    this.onChange?.();
    try {
      return await work;
    } finally {
      if (this.#waits === quiet) this.#waits = undefined;
      this.onChange?.();
    }
  }
}
