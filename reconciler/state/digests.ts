/**
 * The applied digests of an environment, all at once: what planning compares with.
 * Invariant: what is given equals what is committed; who writes alone keeps them in memory instead of reading them every time.
 * Never kept by a reader, whose database changes under it.
 */

import type { Database } from './database.ts';
import type { Names } from './names.ts';

/** Applied digests by `${host}\n${role}`. */
export interface Digests {
  /** What is given changes with the next write. */
  of(environment: string): ReadonlyMap<string, string>;
  /** Inside the transaction that writes it. */
  put(
    environment: string,
    entry: { readonly host: string; readonly role: string; readonly digest: string },
  ): void;
  drop(environment: string, pair: { readonly host: string; readonly role: string }): void;
  /** A transaction failed: what is known may not be so. */
  forget(): void;
}

/** One row per host: its roles and their digests, in one order. A row per pair would cost three times as much. */
const digestsQuery = `
SELECT names.name AS host, hosts.roles, hosts.digests
FROM (SELECT host, group_concat(role) AS roles, group_concat(digest, char(10)) AS digests
      FROM applied WHERE environment = ? GROUP BY host) AS hosts
JOIN names ON names.id = hosts.host`;

/** Reads digests; with `keep` they stay in memory. */
export function createDigests(database: Database, names: Names, keep: boolean): Digests {
  const known = new Map<string, Map<string, string>>();
  return {
    of: (environment) => {
      const digests = known.get(environment) ?? readDigests(database, names.find(environment));
      if (keep) known.set(environment, digests);
      return digests;
    },
    put: (environment, { host, role, digest }) => known.get(environment)?.set(`${host}\n${role}`, digest),
    drop: (environment, { host, role }) => known.get(environment)?.delete(`${host}\n${role}`),
    forget: () => known.clear(),
  };
}

function readDigests(database: Database, environment: number | undefined): Map<string, string> {
  const digests = new Map<string, string>();
  if (environment === undefined) return digests;
  const suffixesOf = createSuffixes(database);
  const shared = new Map<string, string>();
  const rows = database.all<{ host: string; roles: string; digests: string }>(digestsQuery, environment);
  for (const { host, roles, digests: joined } of rows) {
    const values = joined.split('\n');
    const suffixes = suffixesOf(roles);
    for (let index = 0; index < suffixes.length; index += 1) {
      const digest = values[index] as string;
      const first = shared.get(digest);
      if (first === undefined) shared.set(digest, digest);
      digests.set(host + suffixes[index], first ?? digest);
    }
  }
  return digests;
}

/** Key endings for a list of role ids; hosts share few such lists, so each is made once. */
function createSuffixes(database: Database): (roles: string) => readonly string[] {
  const known = new Map<string, readonly string[]>();
  return (roles) => {
    const held = known.get(roles);
    if (held !== undefined) return held;
    const query = 'SELECT name FROM names WHERE id = ?';
    const names = roles.split(',').map((id) => database.get<{ name: string }>(query, Number(id))?.name);
    const suffixes = names.map((name) => `\n${name}`);
    known.set(roles, suffixes);
    return suffixes;
  };
}
