/**
 * Keeps connections while something uses them.
 * Invariant: one attempt per key however many ask; a failed attempt is not remembered; the last release ends a connection.
 * Never reopens by itself.
 */

import { type Result, success } from '../../agent/protocol/problem.ts';
import type { Runner } from './line.ts';

/** What is kept: a connection that can be over. */
export interface SharedLine extends Runner {
  readonly isOpen: boolean;
  readonly ended: Promise<string>;
  end(reason: string): void;
}

interface Kept<L> {
  readonly opened: Promise<Result<L>>;
  users: number;
}

export class SharedLines<S, L extends SharedLine> {
  readonly #open: (spec: S) => Promise<Result<L>>;
  readonly #keyOf: (spec: S) => string;
  readonly #kept = new Map<string, Kept<L>>();

  constructor(open: (spec: S) => Promise<Result<L>>, keyOf: (spec: S) => string) {
    this.#open = open;
    this.#keyOf = keyOf;
  }

  /** The use of a connection, opened when there is none. */
  async acquire(spec: S): Promise<Result<{ readonly runner: L; release(): void }>> {
    const key = this.#keyOf(spec);
    const kept = this.#kept.get(key) ?? this.#begin(key, spec);
    kept.users += 1;
    const opened = await kept.opened;
    if (!opened.ok) return opened;
    const line = opened.value;
    if (!line.isOpen) {
      this.#forget(key, kept);
      return this.acquire(spec);
    }
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      kept.users -= 1;
      if (kept.users > 0) return;
      this.#forget(key, kept);
      line.end('nothing uses the connection any more');
    };
    return success({ runner: line, release });
  }

  #begin(key: string, spec: S): Kept<L> {
    const kept: Kept<L> = { opened: this.#open(spec), users: 0 };
    this.#kept.set(key, kept);
    void kept.opened.then((opened) => {
      if (!opened.ok) this.#forget(key, kept);
      else void opened.value.ended.then(() => this.#forget(key, kept));
    });
    return kept;
  }

  #forget(key: string, kept: Kept<L>): void {
    if (this.#kept.get(key) === kept) this.#kept.delete(key);
  }
}
