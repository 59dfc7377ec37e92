/**
 * The ledger: what was last applied where, and which tries failed since.
 * Invariant: success and the clearing of its failure are one transaction; plans are held once for all hosts that share them.
 * Never stores the host's name inside a plan: it is put back on reading.
 */

import type { RolePlan } from '../../agent/protocol/plan.ts';
import type { Problem } from '../../agent/protocol/problem.ts';
import type { FailedAttempt, LedgerEntry } from '../base/ledger.ts';
import type { Database, Durability } from './database.ts';
import { createDigests } from './digests.ts';
import { createDocumentReader, dropUnusedDocuments, putDocument } from './documents.ts';
import type { Names } from './names.ts';
import { readSettled, writeSettled } from './settled.ts';
import type { LedgerStore } from './store.ts';
import type { Write } from './writer.ts';

interface AppliedRow {
  readonly digest: string;
  readonly at: string;
  readonly revision: string;
  readonly run: string;
  readonly plan: number;
  readonly inputs: number;
}

/** Asked pairs come as a JSON list of [host id, role id], so that ten thousand are one statement. */
const appliedQuery = `
SELECT asked.key AS asked, applied.digest, applied.at, revision.name AS revision, run.name AS run, applied.plan, applied.inputs
FROM json_each(?2) AS asked
CROSS JOIN applied ON applied.environment = ?1
  AND applied.host = asked.value ->> 0 AND applied.role = asked.value ->> 1
JOIN names AS revision ON revision.id = applied.revision
JOIN names AS run ON run.id = applied.run`;

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

/** The ledger in SQLite. Its methods reject with ProblemError (state.*). `alone`: nobody else writes to this database. */
export function createLedger(
  database: Database,
  names: Names,
  { write, alone }: { readonly write: Write; readonly alone: boolean },
): LedgerStore {
  const digests = createDigests(database, names, alone);
  const change = async <T>(work: () => T, durability: Durability = 'durable'): Promise<T> => {
    try {
      return await write(durability, work);
    } catch (error) {
      digests.forget();
      throw error;
    }
  };
  return {
    digests: async (environment, pairs) => digests.of(environment, pairs),
    count: async (environment) => countApplied(database, names.find(environment)),
    settled: async (environment) => readSettled(database, names.find(environment)),
    settle: (environment, pairs, judge) =>
      change(() => {
        const id = names.intern(environment);
        const moment = { applied: digests.of(environment, pairs), failed: readFailed(database, id) };
        writeSettled(database, names, id, judge(moment));
      }, 'ordered'),
    entry: async (environment, host, role) => readEntry(database, names, [environment, host, role]),
    entries: async (environment, pairs) => readEntries(database, names, environment, pairs),
    recordApplied: (environment, entry) =>
      change(() => {
        recordApplied(database, names, environment, entry);
        digests.put(environment, entry);
      }),
    recordFailed: (environment, attempt) => change(() => recordFailed(database, names, environment, attempt)),
    failed: async (environment) => readFailed(database, names.find(environment)),
    release: (environment, host, role) =>
      change(() => {
        digests.drop(environment, { host, role });
        return release(database, names, [environment, host, role]);
      }),
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

function readEntry(database: Database, names: Names, pairNames: PairNames): LedgerEntry | undefined {
  const [environment, host, role] = pairNames;
  return readEntries(database, names, environment, [{ host, role }])[0];
}

/** From here on, reading every name costs less than asking for each. */
const manyPairs = 1000;

type Pair = Pick<LedgerEntry, 'host' | 'role'>;

function readEntries(
  database: Database,
  names: Names,
  environment: string,
  pairs: readonly Pair[],
): (LedgerEntry | undefined)[] {
  const entries = new Array<LedgerEntry | undefined>(pairs.length);
  const id = names.find(environment);
  if (id === undefined) return entries;
  if (pairs.length >= manyPairs) names.learnAll();
  const asked = pairs.map(({ host, role }) => [names.find(host) ?? 0, names.find(role) ?? 0]);
  const read = createDocumentReader(database);
  for (const row of database.all<AppliedRow & { asked: number }>(appliedQuery, id, JSON.stringify(asked))) {
    entries[row.asked] = entryOf(row, pairs[row.asked] as Pair, read);
  }
  return entries;
}

function entryOf(row: AppliedRow, { host, role }: Pair, read: (id: number) => unknown): LedgerEntry {
  const { host: _, ...plan } = read(row.plan) as RolePlan;
  return {
    host,
    role,
    digest: row.digest,
    revision: row.revision,
    appliedAt: row.at,
    run: row.run,
    inputs: read(row.inputs) as Record<string, string>,
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

/** Over the narrowest index that has the environment: ten times quicker than over the rows. */
function countApplied(database: Database, environment: number | undefined): number {
  if (environment === undefined) return 0;
  const query = 'SELECT count(*) AS count FROM applied INDEXED BY applied_plan WHERE environment = ?';
  return database.get<{ count: number }>(query, environment)?.count ?? 0;
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
