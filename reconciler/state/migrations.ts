/**
 * The schema, as the ordered list of steps that made it.
 * Invariant: `user_version` counts the steps done; each step is one transaction; a step that was released is never edited.
 * Never opens a schema newer than this list.
 */

import { failure, ProblemError, type Result, success } from '../../agent/protocol/problem.ts';
import { stateProblem } from '../base/problem-codes/state.ts';
import type { Database } from './database.ts';

export interface Migration {
  readonly name: string;
  readonly sql: string;
}

/**
 * `names` holds texts that many rows repeat (environments, hosts, roles, revisions, runs), `documents` JSON that many
 * rows share, by the SHA-256 of its text. The primary key of `applied` begins with the host, so one seek tells
 * whether an environment has anything on it.
 */
const first = `
CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE documents (id INTEGER PRIMARY KEY, sha256 BLOB NOT NULL UNIQUE, body BLOB NOT NULL) STRICT;
CREATE TABLE applied (
  environment INTEGER NOT NULL REFERENCES names,
  host INTEGER NOT NULL REFERENCES names,
  role INTEGER NOT NULL REFERENCES names,
  digest TEXT NOT NULL,
  at TEXT NOT NULL,
  revision INTEGER NOT NULL REFERENCES names,
  run INTEGER NOT NULL REFERENCES names,
  plan INTEGER NOT NULL REFERENCES documents,
  inputs INTEGER NOT NULL REFERENCES documents,
  PRIMARY KEY (environment, host, role)
) STRICT, WITHOUT ROWID;
CREATE INDEX applied_plan ON applied (plan);
CREATE INDEX applied_inputs ON applied (inputs);
CREATE TABLE failed (
  environment INTEGER NOT NULL REFERENCES names,
  host INTEGER NOT NULL REFERENCES names,
  role INTEGER NOT NULL REFERENCES names,
  digest TEXT NOT NULL,
  at TEXT NOT NULL,
  run INTEGER NOT NULL REFERENCES names,
  problem TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  PRIMARY KEY (environment, host, role)
) STRICT, WITHOUT ROWID;
CREATE TABLE facts (host TEXT PRIMARY KEY, at TEXT NOT NULL, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE environments (name TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE runs (
  id INTEGER PRIMARY KEY,
  run TEXT NOT NULL UNIQUE,
  environment TEXT NOT NULL,
  reason TEXT NOT NULL,
  mode TEXT NOT NULL,
  started_at TEXT NOT NULL,
  finished_at TEXT,
  revision TEXT,
  summary TEXT
) STRICT;
CREATE INDEX runs_by_time ON runs (started_at);
CREATE INDEX runs_by_environment ON runs (environment, started_at);
CREATE TABLE events (
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  sequence INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (run, sequence)
) STRICT, WITHOUT ROWID;
CREATE TABLE run_hosts (
  host TEXT NOT NULL,
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  PRIMARY KEY (host, run)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_hosts_by_run ON run_hosts (run);
`;

/** A statement run after each kind of change of a table, with the names of the rows it sees. */
function afterChanges(table: string, statement: (row: 'new' | 'old') => string): string {
  return (['INSERT', 'UPDATE', 'DELETE'] as const)
    .map((change) => {
      const rows = change === 'UPDATE' ? (['old', 'new'] as const) : [change === 'INSERT' ? 'new' : 'old'];
      const body = rows.map((row) => `${statement(row as 'new' | 'old')};`).join(' ');
      const name = `${table}_${change.toLowerCase()}_unsettles`;
      return `CREATE TRIGGER ${name} AFTER ${change} ON ${table} BEGIN ${body} END;`;
    })
    .join('\n');
}

/**
 * What planning has found to be as it should be: hosts on which nothing was to be done, for the roles beside them. The
 * triggers keep it true whoever writes: a change of what the ledger knows of a host empties its fingerprint. So every host
 * that the ledger knows is here, and one that leaves the inventory is noticed.
 */
const second = `
ALTER TABLE facts ADD COLUMN fingerprint TEXT NOT NULL DEFAULT '';
CREATE TABLE settled_roles (
  environment INTEGER NOT NULL REFERENCES names,
  role INTEGER NOT NULL REFERENCES names,
  fingerprint TEXT NOT NULL,
  paths TEXT NOT NULL,
  PRIMARY KEY (environment, role)
) STRICT, WITHOUT ROWID;
CREATE TABLE settled_hosts (
  environment INTEGER NOT NULL REFERENCES names,
  host INTEGER NOT NULL REFERENCES names,
  fingerprint TEXT NOT NULL,
  PRIMARY KEY (environment, host)
) STRICT, WITHOUT ROWID;
${['applied', 'failed']
  .map((table) =>
    afterChanges(
      table,
      // Two statements: the conflict clause of a statement that fires a trigger comes before those inside it.
      (row) => `DELETE FROM settled_hosts WHERE environment = ${row}.environment AND host = ${row}.host;
        INSERT INTO settled_hosts VALUES (${row}.environment, ${row}.host, '')`,
    ),
  )
  .join('\n')}
`;

/** Every step, oldest first. */
export const migrations: readonly Migration[] = [
  { name: 'ledger, facts, environments, history', sql: first },
  { name: 'what is settled', sql: second },
];

/** How many steps a database has behind it. */
export function schemaVersion(database: Database): number {
  return database.get<{ user_version: number }>('PRAGMA user_version')?.user_version ?? 0;
}

/** Brings a database opened for writing up to date; refuses one that is ahead of `steps`. */
export function migrate(database: Database, steps = migrations): Result<void> {
  const version = schemaVersion(database);
  if (version > steps.length) return failure(newer(database.file, version, steps.length));
  for (const [index, step] of steps.entries()) {
    if (index < version) continue;
    const done = runStep(database, step, index + 1);
    if (!done.ok) return done;
  }
  return success(undefined);
}

/** Whether a database opened for reading has exactly the schema of this version. */
export function checkSchema(database: Database, steps = migrations): Result<void> {
  const version = schemaVersion(database);
  if (version > steps.length) return failure(newer(database.file, version, steps.length));
  if (version === steps.length) return success(undefined);
  const message = `${database.file} has schema ${version}; this Towline reads schema ${steps.length}`;
  return failure(stateProblem('state.older-schema', message));
}

function runStep(database: Database, step: Migration, version: number): Result<void> {
  try {
    database.transaction('durable', () => {
      database.exec(step.sql);
      database.exec(`PRAGMA user_version = ${version}`);
    });
    return success(undefined);
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    const message = `step ${version} (${step.name}) of the schema of ${database.file} failed`;
    return failure(stateProblem('state.migration-failed', message, { cause: error.problem }));
  }
}

function newer(file: string, found: number, known: number): ReturnType<typeof stateProblem> {
  return stateProblem('state.newer-schema', `${file} has schema ${found}; this Towline knows up to ${known}`);
}
