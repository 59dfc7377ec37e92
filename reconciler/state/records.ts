/**
 * The two stores that are one JSON record per name: facts of hosts, and environments.
 * Invariant: the newest record replaces the older one whole.
 * Never merges: who writes gives the whole record.
 */

import type { Facts } from '../../agent/protocol/facts.ts';
import type { Database } from './database.ts';
import type { EnvironmentRecord, EnvironmentStore, FactsStore } from './store.ts';
import type { Write } from './writer.ts';

interface FactsRow {
  readonly host: string;
  readonly at: string;
  readonly body: string;
}

/** Facts in SQLite. Its methods reject with ProblemError (state.*). */
export function createFacts(database: Database, write: Write): FactsStore {
  const read = (row: FactsRow): { facts: Facts; at: string } => ({
    facts: JSON.parse(row.body) as Facts,
    at: row.at,
  });
  return {
    all: async () => {
      const rows = database.all<FactsRow>('SELECT host, at, body FROM facts');
      return new Map(rows.map((row) => [row.host, read(row)]));
    },
    get: async (host) => {
      const row = database.get<FactsRow>('SELECT host, at, body FROM facts WHERE host = ?', host);
      return row && read(row);
    },
    put: (host, facts, at) =>
      write('ordered', () => {
        database.run('INSERT OR REPLACE INTO facts VALUES (?, ?, ?)', host, at, JSON.stringify(facts));
      }),
  };
}

/** Environments in SQLite. Its methods reject with ProblemError (state.*). */
export function createEnvironments(database: Database, write: Write): EnvironmentStore {
  return {
    all: async () =>
      database
        .all<{ body: string }>('SELECT body FROM environments ORDER BY name')
        .map((row) => JSON.parse(row.body) as EnvironmentRecord),
    get: async (name) => {
      const row = database.get<{ body: string }>('SELECT body FROM environments WHERE name = ?', name);
      return row && (JSON.parse(row.body) as EnvironmentRecord);
    },
    put: (record) =>
      write('durable', () => {
        database.run(
          'INSERT OR REPLACE INTO environments VALUES (?, ?)',
          record.name,
          JSON.stringify(record),
        );
      }),
  };
}
