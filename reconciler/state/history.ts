/**
 * Runs and their events, for `history` and `show`.
 * Invariant: a run's events come back in the order they happened; a run without a summary was never finished.
 * Never sees a secret: events are redacted before they are made.
 */

import type { RevisionInfo, RunEvent, RunMode, RunSummary, Trigger } from '../base/event.ts';
import type { Database, Value } from './database.ts';
import { pack, unpack } from './documents.ts';
import type { HistoryStore, RunRecord } from './store.ts';
import type { Write } from './writer.ts';

interface RunRow {
  readonly id: number;
  readonly run: string;
  readonly environment: string;
  readonly reason: string;
  readonly mode: string;
  readonly started_at: string;
  readonly finished_at: string | null;
  readonly revision: string | null;
  readonly summary: string | null;
}

/** History in SQLite. Its methods reject with ProblemError (state.*). */
export function createHistory(database: Database, write: Write): HistoryStore {
  return {
    start: (record) => write('ordered', () => start(database, record)),
    append: (run, events) => write('ordered', () => append(database, run, events)),
    finish: (run, end) =>
      write('durable', () => {
        database.run(
          `UPDATE runs SET finished_at = ?, summary = ?, revision = coalesce(?, revision) WHERE run = ?`,
          end.at,
          JSON.stringify(end.summary),
          end.revision === undefined ? null : JSON.stringify(end.revision),
          run,
        );
      }),
    runs: async (filter) => readRuns(database, filter),
    run: async (id) => readRun(database, id),
    prune: (before) => write('ordered', () => database.run('DELETE FROM runs WHERE started_at < ?', before)),
  };
}

function start(database: Database, record: RunRecord): void {
  database.run(
    'INSERT INTO runs (run, environment, reason, mode, started_at, revision) VALUES (?, ?, ?, ?, ?, ?)',
    record.run,
    record.environment,
    record.trigger,
    record.mode,
    record.startedAt,
    record.revision === undefined ? null : JSON.stringify(record.revision),
  );
}

function append(database: Database, run: string, events: readonly RunEvent[]): void {
  const id = database.get<{ id: number }>('SELECT id FROM runs WHERE run = ?', run)?.id;
  if (id === undefined || events.length === 0) return;
  database.run(
    `INSERT INTO events (run, sequence, body)
     SELECT ?1, coalesce(max(sequence), 0) + 1, ?2 FROM events WHERE run = ?1`,
    id,
    pack(JSON.stringify(events)),
  );
  const hosts = new Set<string>();
  for (const event of events) if ('host' in event) hosts.add(event.host);
  for (const host of hosts)
    database.run('INSERT OR IGNORE INTO run_hosts (host, run) VALUES (?, ?)', host, id);
}

function readRuns(database: Database, filter: Parameters<HistoryStore['runs']>[0]): RunRecord[] {
  const conditions: string[] = [];
  const values: Value[] = [];
  if (filter.environment !== undefined) {
    conditions.push('environment = ?');
    values.push(filter.environment);
  }
  if (filter.host !== undefined) {
    conditions.push('id IN (SELECT run FROM run_hosts WHERE host = ?)');
    values.push(filter.host);
  }
  const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
  const query = `SELECT * FROM runs ${where} ORDER BY started_at DESC, id DESC LIMIT ?`;
  return database.all<RunRow>(query, ...values, Math.max(0, filter.limit)).map(toRecord);
}

function readRun(
  database: Database,
  id: string,
): { readonly record: RunRecord; readonly events: readonly RunEvent[] } | undefined {
  const query = 'SELECT * FROM runs WHERE substr(run, 1, length(?1)) = ?1 ORDER BY run LIMIT 2';
  const [row, other] = database.all<RunRow>(query, id);
  if (id === '' || row === undefined || (other !== undefined && row.run !== id)) return undefined;
  const batches = database.all<{ body: Uint8Array }>(
    'SELECT body FROM events WHERE run = ? ORDER BY sequence',
    row.id,
  );
  return { record: toRecord(row), events: batches.flatMap((batch) => unpack(batch.body) as RunEvent[]) };
}

function toRecord(row: RunRow): RunRecord {
  return {
    run: row.run,
    environment: row.environment,
    trigger: row.reason as Trigger,
    mode: row.mode as RunMode,
    startedAt: row.started_at,
    ...(row.finished_at !== null && { finishedAt: row.finished_at }),
    ...(row.revision !== null && { revision: JSON.parse(row.revision) as RevisionInfo }),
    ...(row.summary !== null && { summary: JSON.parse(row.summary) as RunSummary }),
  };
}
