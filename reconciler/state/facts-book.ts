/**
 * Facts of every host, in memory, written through to the store when they change.
 * Invariant: what moves all the time (uptime) alone never causes a write.
 * Never asks a host.
 */

import type { Facts } from '../../agent/protocol/facts.ts';
import { canonicalJson } from '../../agent/protocol/json.ts';
import type { FactsStore } from './store.ts';

export class FactsBook {
  readonly #store: FactsStore;
  readonly #writes: boolean;
  readonly #facts = new Map<string, Facts>();

  private constructor(store: FactsStore, writes: boolean) {
    this.#store = store;
    this.#writes = writes;
  }

  /** Reads all that is known. Without `writes`, what is learned is forgotten at the end. */
  static async open(store: FactsStore, writes: boolean): Promise<FactsBook> {
    const book = new FactsBook(store, writes);
    for (const [host, { facts }] of await store.all()) book.#facts.set(host, facts);
    return book;
  }

  get(host: string): Facts | undefined {
    return this.#facts.get(host);
  }

  /** Takes what a host said; true when something besides its uptime is new. */
  async learn(host: string, facts: Facts, at: string): Promise<boolean> {
    const before = this.#facts.get(host);
    this.#facts.set(host, facts);
    if (before !== undefined && lasting(before) === lasting(facts)) return false;
    if (this.#writes) await this.#store.put(host, facts, at);
    return true;
  }
}

function lasting(facts: Facts): string {
  return canonicalJson({ ...facts, uptime: null });
}
