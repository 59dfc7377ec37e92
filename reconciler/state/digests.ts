/**
 * The applied digests of an environment: what planning compares with.
 * Invariant: what is given equals what is committed; who writes alone keeps them in memory instead of reading them every time.
 * Never kept by a reader, whose database changes under it.
 */

import type { AppliedDigests, PairsOf } from '../base/ledger.ts';
import type { Database } from './database.ts';
import type { Names } from './names.ts';

/** Applied digests, read when they are asked for. */
export interface Digests {
  /** Of all pairs, or of some; what is given changes with the next write. */
  of(environment: string, pairs?: PairsOf): AppliedDigests;
  /** Inside the transaction that writes it. */
  put(
    environment: string,
    entry: { readonly host: string; readonly role: string; readonly digest: string },
  ): void;
  drop(environment: string, pair: { readonly host: string; readonly role: string }): void;
  /** A transaction failed: what is known may not be so. */
  forget(): void;
}

type HostDigests = Map<string, string>;
type RoleDigests = Map<string, HostDigests>;

/** Beyond this many roles, reading everything is quicker than reading each. */
const fewRoles = 16;

/** Reads digests; with `keep` they stay in memory. */
export function createDigests(database: Database, names: Names, keep: boolean): Digests {
  const whole = new Map<string, RoleDigests>();
  const all = (environment: string, id: number): RoleDigests => {
    const digests = whole.get(environment) ?? readAll(database, id);
    if (keep) whole.set(environment, digests);
    return digests;
  };
  return {
    of: (environment, pairs) => {
      const id = names.find(environment);
      if (id === undefined) return new Map();
      if (pairs === undefined) return all(environment, id);
      const isKnown = whole.has(environment) || pairs.roles.size > fewRoles;
      return isKnown ? some(all(environment, id), pairs) : readSome(database, names, id, pairs);
    },
    put: (environment, { host, role, digest }) => {
      const known = whole.get(environment);
      if (known !== undefined) hostsOf(known, role).set(host, digest);
    },
    drop: (environment, { host, role }) => {
      const roles = whole.get(environment);
      const hosts = roles?.get(role);
      hosts?.delete(host);
      if (hosts?.size === 0) roles?.delete(role);
    },
    forget: () => whole.clear(),
  };
}

function hostsOf(digests: RoleDigests, role: string): HostDigests {
  const known = digests.get(role);
  if (known !== undefined) return known;
  const made: HostDigests = new Map();
  digests.set(role, made);
  return made;
}

function some(all: RoleDigests, { roles, hosts }: PairsOf): RoleDigests {
  const chosen: RoleDigests = new Map();
  for (const [role, digests] of all) {
    if (roles.has(role)) chosen.set(role, digests);
    else
      for (const host of hosts) {
        const digest = digests.get(host);
        if (digest !== undefined) hostsOf(chosen, role).set(host, digest);
      }
  }
  return chosen;
}

/** One row per host: its roles and their digests, in one order. A row per pair would cost three times as much. */
const allQuery = `
SELECT names.name AS host, hosts.roles, hosts.digests
FROM (SELECT host, group_concat(role) AS roles, group_concat(digest, char(10)) AS digests
      FROM applied WHERE environment = ? GROUP BY host) AS hosts
JOIN names ON names.id = hosts.host`;

interface HostRow {
  readonly host: string;
  readonly roles: string;
  readonly digests: string;
}

function readAll(database: Database, environment: number): RoleDigests {
  const digests: RoleDigests = new Map();
  addRows(database, digests, database.all<HostRow>(allQuery, environment));
  return digests;
}

/** Hosts share few lists of roles and few digests, so each is made once. */
function addRows(database: Database, digests: RoleDigests, rows: readonly HostRow[]): void {
  const lists = new Map<string, readonly HostDigests[]>();
  const shared = new Map<string, string>();
  for (const { host, roles, digests: joined } of rows) {
    let targets = lists.get(roles);
    if (targets === undefined) {
      targets = roles.split(',').map((id) => hostsOf(digests, roleName(database, Number(id))));
      lists.set(roles, targets);
    }
    const values = joined.split('\n');
    for (let index = 0; index < targets.length; index += 1) {
      const digest = values[index] as string;
      const first = shared.get(digest);
      if (first === undefined) shared.set(digest, digest);
      (targets[index] as HostDigests).set(host, first ?? digest);
    }
  }
}

function roleName(database: Database, id: number): string {
  return (database.get<{ name: string }>('SELECT name FROM names WHERE id = ?', id) as { name: string }).name;
}

/** Hosts of one role by digest. It walks over all names, seeking each: there is no index that begins with the role. */
const roleQuery = `
SELECT digest, group_concat(names.name, char(10)) AS hosts
FROM names CROSS JOIN applied ON applied.environment = ? AND applied.host = names.id AND applied.role = ?
GROUP BY digest`;

/** The pairs of the hosts in a JSON list of ids. */
const hostsQuery = `
SELECT names.name AS host, hosts.roles, hosts.digests
FROM (SELECT host, group_concat(role) AS roles, group_concat(digest, char(10)) AS digests
      FROM json_each(?2) AS asked CROSS JOIN applied ON applied.environment = ?1 AND applied.host = asked.value
      GROUP BY host) AS hosts
JOIN names ON names.id = hosts.host`;

function readSome(database: Database, names: Names, environment: number, pairs: PairsOf): RoleDigests {
  const digests: RoleDigests = new Map();
  const ids = [...pairs.hosts].flatMap((host) => names.find(host) ?? []);
  if (ids.length > 0)
    addRows(database, digests, database.all<HostRow>(hostsQuery, environment, JSON.stringify(ids)));
  for (const role of pairs.roles) {
    const id = names.find(role);
    if (id === undefined) continue;
    for (const row of database.all<{ digest: string; hosts: string }>(roleQuery, environment, id)) {
      const hosts = hostsOf(digests, role);
      for (const host of row.hosts.split('\n')) hosts.set(host, row.digest);
    }
  }
  return digests;
}
