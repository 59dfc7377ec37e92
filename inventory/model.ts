/**
 * Host, Group, Inventory: who the hosts are. Frozen, no behaviour beyond look-up.
 * Invariant: group membership is transitive and every host is in `all`; variables are merged all → group → child group → host.
 * Never holds magic variables among the plain ones.
 */

import type { Json } from '../agent/protocol/json.ts';
import type { Secret } from '../agent/protocol/secret.ts';

/** Where a variable's value in force comes from. `layer` is `all`, a group's name, or `host`. */
export interface Provenance {
  readonly layer: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface Host {
  readonly name: string;
  /** Every group the host is in, ancestors and `all` included, sorted. */
  readonly groups: readonly string[];
  /** Declared variables, merged; magic (towline_*) ones are not among them. */
  readonly variables: Readonly<Record<string, Json>>;
  /** Changes exactly when name, groups or variables do: lets callers skip a host without comparing. */
  readonly fingerprint: string;
}

export interface Group {
  readonly name: string;
  readonly children: readonly string[];
  /** Names of the hosts in it, those of child groups included, in the order declared. */
  readonly hosts: readonly string[];
}

export interface Inventory {
  readonly hosts: ReadonlyMap<string, Host>;
  readonly groups: ReadonlyMap<string, Group>;
  /** Where a host's variable (plain or magic) comes from. */
  provenance(host: string, variable: string): Provenance | undefined;
  /** A host's magic variables in force, under their towline_ names; passwords are masked. */
  magic(host: string): Readonly<Record<string, Json>>;
  /** The value of a masked magic variable; what builds an inventory without passwords may leave it out. */
  secret?(host: string, variable: string): Secret | undefined;
}
