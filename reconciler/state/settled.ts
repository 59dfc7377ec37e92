/**
 * What an environment's last look found to be as it should be, kept until something about it changes.
 * Invariant: a host has its fingerprint only while nothing the ledger knows of it has changed since; triggers of the database see to it.
 * Never decides what is settled.
 */

import type { Settled, SettledRole } from '../base/ledger.ts';
import type { Database } from './database.ts';
import type { Names } from './names.ts';

interface RoleRow {
  readonly role: string;
  readonly fingerprint: string;
  readonly paths: string;
}

interface HostRow {
  readonly host: string;
  readonly fingerprint: string;
}

/** What is settled. */
export function readSettled(database: Database, environment: number | undefined): Settled {
  if (environment === undefined) return { roles: new Map(), hosts: new Map() };
  const roles = database.all<RoleRow>(
    `SELECT names.name AS role, fingerprint, paths FROM settled_roles
     JOIN names ON names.id = role WHERE environment = ?`,
    environment,
  );
  const hosts = database.all<HostRow>(
    `SELECT names.name AS host, fingerprint FROM settled_hosts
     JOIN names ON names.id = host WHERE environment = ?`,
    environment,
  );
  return {
    roles: new Map(roles.map((row) => [row.role, roleOf(row)])),
    hosts: new Map(hosts.map(({ host, fingerprint }) => [host, fingerprint])),
  };
}

function roleOf({ fingerprint, paths }: RoleRow): SettledRole {
  return { fingerprint, paths: JSON.parse(paths) as readonly string[] };
}

/** Puts `settled` in the place of what was. Inside a transaction; rows that stay the same are not written. */
export function writeSettled(database: Database, names: Names, environment: number, settled: Settled): void {
  const before = readSettled(database, environment);
  for (const role of before.roles.keys())
    if (!settled.roles.has(role))
      database.run(
        'DELETE FROM settled_roles WHERE environment = ? AND role = ?',
        environment,
        names.intern(role),
      );
  for (const [role, { fingerprint, paths }] of settled.roles) {
    const list = JSON.stringify(paths);
    const held = before.roles.get(role);
    if (held?.fingerprint === fingerprint && JSON.stringify(held.paths) === list) continue;
    database.run(
      'INSERT OR REPLACE INTO settled_roles VALUES (?, ?, ?, ?)',
      environment,
      names.intern(role),
      fingerprint,
      list,
    );
  }
  for (const host of before.hosts.keys())
    if (!settled.hosts.has(host))
      database.run(
        'DELETE FROM settled_hosts WHERE environment = ? AND host = ?',
        environment,
        names.intern(host),
      );
  for (const [host, fingerprint] of settled.hosts) {
    if (before.hosts.get(host) === fingerprint) continue;
    const id = names.intern(host);
    database.run('INSERT OR REPLACE INTO settled_hosts VALUES (?, ?, ?)', environment, id, fingerprint);
  }
}
