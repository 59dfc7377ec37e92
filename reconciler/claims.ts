/**
 * Who has which host: each environment holds the hosts of the inventory it has in force, and those it is about to take.
 * Invariant: a host has one holder; who holds it keeps it, whoever comes later is refused, and told when it is free again.
 * Never decides what a refused environment does, and contacts no host.
 */

import type { Problem } from '../agent/protocol/problem.ts';
import { type Claim, conflictingClaims } from './policy/branches.ts';

/** An environment and its hosts as they are when the first claim is made. */
export interface Holding {
  readonly environment: string;
  /** Something of it was applied already, so it goes before those of which nothing was. */
  readonly isInForce: boolean;
  readonly hosts: Iterable<string>;
}

/** Gives the environments there are, in the order declared. */
export type ReadHoldings = () => Promise<readonly Holding[]>;

/** What an environment has in force, and what its newest revision asks for besides. */
interface Held {
  readonly kept: ReadonlySet<string>;
  readonly wanted: ReadonlySet<string>;
}

const nothing: ReadonlySet<string> = new Set();

export class Claims {
  readonly #read: ReadHoldings;
  readonly #held = new Map<string, Held>();
  readonly #refused = new Map<string, ReadonlySet<string>>();
  #begun: Promise<void> | undefined;

  constructor(read: ReadHoldings) {
    this.#read = read;
  }

  /** Asks for hosts besides those in force; problems when others hold some of them, and then nothing changes. */
  async take(environment: string, hosts: Iterable<string>): Promise<readonly Problem[]> {
    this.#begun ??= this.#begin();
    await this.#begun;
    return this.#take(environment, new Set(hosts));
  }

  /** These hosts are in force now; what else the environment had is free. */
  keep(environment: string, hosts: Iterable<string>): void {
    const kept = new Set(hosts);
    this.#held.set(environment, { kept, wanted: kept });
  }

  /** Forgets every environment but these. */
  retain(environments: ReadonlySet<string>): void {
    for (const claims of [this.#held, this.#refused]) {
      for (const name of claims.keys()) if (!environments.has(name)) claims.delete(name);
    }
  }

  /** Refused environments that would not be refused now; each is told once. */
  freed(): readonly string[] {
    const free = [...this.#refused].filter(([name, hosts]) => this.#conflicts(name, hosts).length === 0);
    for (const [name] of free) this.#refused.delete(name);
    return free.map(([name]) => name);
  }

  async #begin(): Promise<void> {
    const holdings = await this.#read();
    const ranked = [...holdings].sort((a, b) => Number(b.isInForce) - Number(a.isInForce));
    for (const { environment, hosts } of ranked) {
      const own = new Set(hosts);
      if (this.#take(environment, own).length === 0) this.keep(environment, own);
    }
    this.#refused.clear();
  }

  #take(environment: string, hosts: ReadonlySet<string>): readonly Problem[] {
    const problems = this.#conflicts(environment, hosts);
    if (problems.length > 0) {
      this.#refused.set(environment, hosts);
      return problems;
    }
    this.#refused.delete(environment);
    const { kept = nothing } = this.#held.get(environment) ?? {};
    this.#held.set(environment, { kept, wanted: hosts });
    return [];
  }

  #conflicts(environment: string, hosts: ReadonlySet<string>): readonly Problem[] {
    const claims: Claim[] = [];
    for (const [holder, { kept, wanted }] of this.#held) {
      if (holder === environment) continue;
      for (const host of hosts) {
        if (kept.has(host) || wanted.has(host))
          claims.push({ environment, host }, { environment: holder, host });
      }
    }
    return conflictingClaims(claims).map((problem) => ({
      ...problem,
      where: { ...problem.where, environment },
    }));
  }
}
