/**
 * Facts of every host, in memory, written through to the store when they change.
 * Invariant: what moves all the time (uptime) alone never causes a write.
 * Never asks a host.
 */

import type { Facts } from '../../agent/protocol/facts.ts';
import { factsFingerprint } from './facts-fingerprint.ts';
import type { FactsRecord, FactsStore } from './store.ts';

/** A host's facts, and the identity of what lasts of them. */
export type HostFacts = Pick<FactsRecord, 'facts' | 'fingerprint'>;

export class FactsBook {
  readonly #store: FactsStore;
  readonly #writes: boolean;
  readonly #known: Map<string, HostFacts>;

  private constructor(store: FactsStore, writes: boolean, known: ReadonlyMap<string, HostFacts>) {
    this.#store = store;
    this.#writes = writes;
    this.#known = new Map(known);
  }

  /** Reads all that is known. Without `writes`, what is learned is forgotten at the end. */
  static async open(store: FactsStore, writes: boolean): Promise<FactsBook> {
    return new FactsBook(store, writes, await store.all());
  }

  get(host: string): Facts | undefined {
    return this.#known.get(host)?.facts;
  }

  /** Both as they are at this moment; what is learned later does not change them. */
  known(host: string): HostFacts | undefined {
    return this.#known.get(host);
  }

  /** Takes what a host said; true when something besides its uptime is new. */
  async learn(host: string, facts: Facts, at: string): Promise<boolean> {
    const before = this.#known.get(host);
    const fingerprint = factsFingerprint(facts);
    this.#known.set(host, { facts, fingerprint });
    if (before?.fingerprint === fingerprint) return false;
    if (this.#writes) await this.#store.put(host, facts, at);
    return true;
  }
}
