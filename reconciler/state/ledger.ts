/**
 * The ledger: what was last applied where, and which tries failed since.
 * Invariant: success and the clearing of its failure are one transaction; plans are held once for all hosts that share them.
 * Never stores the host's name inside a plan: it is put back on reading.
 */

import type { RolePlan } from '../../agent/protocol/plan.ts';
import type { Problem } from '../../agent/protocol/problem.ts';
import type { Database } from './database.ts';
import { dropUnusedDocuments, putDocument, unpack } from './documents.ts';
import type { Names } from './names.ts';
import type { FailedAttempt, LedgerEntry, LedgerStore } from './store.ts';
import type { Write } from './writer.ts';

interface AppliedRow {
  readonly digest: string;
  readonly at: string;
  readonly revision: string;
  readonly run: string;
  readonly plan: Uint8Array;
  readonly inputs: Uint8Array;
}

const appliedQuery = `
SELECT applied.digest, applied.at, revision.name AS revision, run.name AS run, plan.body AS plan, inputs.body AS inputs
FROM applied
JOIN names AS revision ON revision.id = applied.revision
JOIN names AS run ON run.id = applied.run
JOIN documents AS plan ON plan.id = applied.plan
JOIN documents AS inputs ON inputs.id = applied.inputs
WHERE applied.environment = ? AND applied.host = ? AND applied.role = ?`;

/** One row per host: its roles and their digests, in one order. A row per pair would cost three times as much. */
const digestsQuery = `
SELECT names.name AS host, hosts.roles, hosts.digests
FROM (SELECT host, group_concat(role) AS roles, group_concat(digest, char(10)) AS digests
      FROM applied WHERE environment = ? GROUP BY host) AS hosts
JOIN names ON names.id = hosts.host`;

const failedQuery = `
SELECT host.name AS host, role.name AS role, failed.digest, failed.at, run.name AS run, failed.problem, failed.attempts
FROM failed
JOIN names AS host ON host.id = failed.host
JOIN names AS role ON role.id = failed.role
JOIN names AS run ON run.id = failed.run
WHERE failed.environment = ? ORDER BY host.name, role.name`;

/** Steps from one environment to the next instead of reading every row; each is then one seek. */
const environmentsQuery = `
WITH RECURSIVE used (environment) AS (
  SELECT min(environment) FROM applied
  UNION ALL
  SELECT (SELECT min(environment) FROM applied WHERE environment > used.environment)
  FROM used WHERE used.environment IS NOT NULL
)
SELECT names.name FROM used JOIN names ON names.id = used.environment
WHERE EXISTS (SELECT 1 FROM applied WHERE environment = used.environment AND host = ?) ORDER BY names.name`;

const pair = 'environment = ? AND host = ? AND role = ?';

/** The ledger in SQLite. Its methods reject with ProblemError (state.*). */
export function createLedger(database: Database, names: Names, write: Write): LedgerStore {
  return {
    digests: async (environment) => readDigests(database, names.find(environment)),
    entry: async (environment, host, role) => readEntry(database, names, [environment, host, role]),
    recordApplied: (environment, entry) =>
      write('durable', () => recordApplied(database, names, environment, entry)),
    recordFailed: (environment, attempt) =>
      write('durable', () => recordFailed(database, names, environment, attempt)),
    failed: async (environment) => readFailed(database, names.find(environment)),
    release: (environment, host, role) =>
      write('durable', () => release(database, names, [environment, host, role])),
    environmentsOf: async (host) => readEnvironments(database, names.find(host)),
  };
}

type PairNames = readonly [environment: string, host: string, role: string];
type PairIds = readonly [number, number, number];

function findPair(names: Names, pairNames: PairNames): PairIds | undefined {
  const [environment, host, role] = pairNames.map((name) => names.find(name));
  if (environment === undefined || host === undefined || role === undefined) return undefined;
  return [environment, host, role];
}

function internPair(names: Names, pairNames: PairNames): PairIds {
  return [names.intern(pairNames[0]), names.intern(pairNames[1]), names.intern(pairNames[2])];
}

function readDigests(database: Database, environment: number | undefined): Map<string, string> {
  const digests = new Map<string, string>();
  if (environment === undefined) return digests;
  const suffixesOf = createSuffixes(database);
  const rows = database.all<{ host: string; roles: string; digests: string }>(digestsQuery, environment);
  for (const { host, roles, digests: joined } of rows) {
    const values = joined.split('\n');
    const suffixes = suffixesOf(roles);
    for (let index = 0; index < suffixes.length; index += 1) {
      digests.set(host + suffixes[index], values[index] as string);
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

function readEntry(database: Database, names: Names, pairNames: PairNames): LedgerEntry | undefined {
  const ids = findPair(names, pairNames);
  const row = ids && database.get<AppliedRow>(appliedQuery, ...ids);
  if (row === undefined) return undefined;
  const [, host, role] = pairNames;
  const { host: _, ...plan } = unpack(row.plan) as RolePlan;
  return {
    host,
    role,
    digest: row.digest,
    revision: row.revision,
    appliedAt: row.at,
    run: row.run,
    inputs: unpack(row.inputs) as Record<string, string>,
    plan: { ...plan, host },
  };
}

function documentsOf(database: Database, ids: PairIds): number[] {
  const row = database.get<{ plan: number; inputs: number }>(
    `SELECT plan, inputs FROM applied WHERE ${pair}`,
    ...ids,
  );
  return row === undefined ? [] : [row.plan, row.inputs];
}

function recordApplied(database: Database, names: Names, environment: string, entry: LedgerEntry): void {
  const ids = internPair(names, [environment, entry.host, entry.role]);
  const before = documentsOf(database, ids);
  const plan = putDocument(database, { ...entry.plan, host: '' });
  const inputs = putDocument(database, entry.inputs);
  database.run(
    'INSERT OR REPLACE INTO applied VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
    ...ids,
    entry.digest,
    entry.appliedAt,
    names.intern(entry.revision),
    names.intern(entry.run),
    plan,
    inputs,
  );
  database.run(`DELETE FROM failed WHERE ${pair}`, ...ids);
  const unused = before.filter((id) => id !== plan && id !== inputs);
  dropUnusedDocuments(database, unused);
}

function recordFailed(
  database: Database,
  names: Names,
  environment: string,
  attempt: Omit<FailedAttempt, 'attempts'>,
): void {
  database.run(
    `INSERT INTO failed VALUES (?, ?, ?, ?, ?, ?, ?, 1)
     ON CONFLICT DO UPDATE SET digest = excluded.digest, at = excluded.at, run = excluded.run,
       problem = excluded.problem, attempts = attempts + 1`,
    ...internPair(names, [environment, attempt.host, attempt.role]),
    attempt.digest,
    attempt.at,
    names.intern(attempt.run),
    JSON.stringify(attempt.problem),
  );
}

function readFailed(database: Database, environment: number | undefined): FailedAttempt[] {
  if (environment === undefined) return [];
  const rows = database.all<Omit<FailedAttempt, 'problem'> & { problem: string }>(failedQuery, environment);
  return rows.map((row) => ({ ...row, problem: JSON.parse(row.problem) as Problem }));
}

function release(database: Database, names: Names, pairNames: PairNames): LedgerEntry | undefined {
  const ids = findPair(names, pairNames);
  if (ids === undefined) return undefined;
  const entry = readEntry(database, names, pairNames);
  const documents = documentsOf(database, ids);
  database.run(`DELETE FROM applied WHERE ${pair}`, ...ids);
  database.run(`DELETE FROM failed WHERE ${pair}`, ...ids);
  dropUnusedDocuments(database, documents);
  return entry;
}

function readEnvironments(database: Database, host: number | undefined): string[] {
  if (host === undefined) return [];
  return database.all<{ name: string }>(environmentsQuery, host).map((row) => row.name);
}
