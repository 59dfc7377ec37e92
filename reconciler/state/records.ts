/**
 * The two stores that are one JSON record per name: facts of hosts, and environments.
 * Invariant: the newest record replaces the older one whole.
 * Never merges: who writes gives the whole record.
 */

import type { Facts } from '../../agent/protocol/facts.ts';
import type { Database } from './database.ts';
import { factsFingerprint } from './facts-fingerprint.ts';
import type { EnvironmentRecord, EnvironmentStore, FactsRecord, FactsStore } from './store.ts';
import type { Write } from './writer.ts';

interface FactsRow {
  readonly host: string;
  readonly at: string;
  readonly body: string;
  readonly fingerprint: string;
}

const factsQuery = 'SELECT host, at, body, fingerprint FROM facts';

/** Facts in SQLite. Its methods reject with ProblemError (state.*). */
export function createFacts(database: Database, write: Write): FactsStore {
  return {
    all: async () =>
      new Map(database.all<FactsRow>(factsQuery).map((row) => [row.host, new StoredFacts(row)])),
    get: async (host) => {
      const row = database.get<FactsRow>(`${factsQuery} WHERE host = ?`, host);
      return row && new StoredFacts(row);
    },
    put: (host, facts, at) =>
      write('ordered', () => {
        database.run(
          'INSERT OR REPLACE INTO facts (host, at, body, fingerprint) VALUES (?, ?, ?, ?)',
          host,
          at,
          JSON.stringify(facts),
          factsFingerprint(facts),
        );
      }),
  };
}

/** One host's facts as they are stored; most of a fleet's are never looked at in a run, so they stay text until then. */
class StoredFacts implements FactsRecord {
  readonly at: string;
  readonly #text: string;
  readonly #fingerprint: string;
  #facts: Facts | undefined;

  constructor({ at, body, fingerprint }: FactsRow) {
    this.at = at;
    this.#text = body;
    this.#fingerprint = fingerprint;
  }

  get facts(): Facts {
    this.#facts ??= JSON.parse(this.#text) as Facts;
    return this.#facts;
  }

  /** Rows older than the column have none. */
  get fingerprint(): string {
    return this.#fingerprint === '' ? factsFingerprint(this.facts) : this.#fingerprint;
  }
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
