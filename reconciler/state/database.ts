/**
 * The one place that knows node:sqlite: opens, prepares, runs, and turns its errors into Problems.
 * Invariant: a transaction is whole or absent; a durable one is on the disk when `transaction` returns.
 * Never let a class or an error of the engine leave this file.
 */

import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { ProblemError } from '../../agent/protocol/problem.ts';
import { type StateProblemCode, stateProblem } from '../base/problem-codes/state.ts';

export type Value = null | number | string | Uint8Array;

/** `durable` survives a power cut; `ordered` may lose the last moments, never consistency. */
export type Durability = 'durable' | 'ordered';

/** Why a database is opened; a reader never creates or changes one. */
export type DatabaseMode = 'write' | 'read';

const busyMilliseconds = 5000;

/** SQLite's primary result codes and what they mean here. */
const codes: Readonly<Record<number, StateProblemCode>> = {
  3: 'state.not-permitted',
  5: 'state.busy',
  6: 'state.busy',
  8: 'state.read-only',
  11: 'state.corrupt',
  13: 'state.disk-full',
  14: 'state.not-permitted',
  26: 'state.corrupt',
};

/** Turns an error of the engine into a ProblemError naming the file; other errors are given back as they are. */
export function databaseError(error: unknown, file: string): unknown {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return error;
  const code = codes[error.errcode & 0xff] ?? 'state.failed';
  return new ProblemError(stateProblem(code, `${file}: ${error.message}`));
}

/** One connection. Synchronous throughout: keep transactions short. */
export class Database {
  readonly file: string;
  readonly #connection: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #durability: Durability | undefined;
  #depth = 0;

  private constructor(file: string, connection: DatabaseSync) {
    this.file = file;
    this.#connection = connection;
  }

  /** Opens a file, or `:memory:`. Throws ProblemError. */
  static open(file: string, mode: DatabaseMode): Database {
    const database = Database.#connect(file, { readOnly: mode === 'read', timeout: busyMilliseconds });
    database.exec('PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -65536');
    if (mode === 'write') database.exec('PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = 67108864');
    return database;
  }

  /** Opens a file without a write-ahead log and without waiting: what a lock needs. Throws ProblemError. */
  static openPlain(file: string): Database {
    return Database.#connect(file, { timeout: 0 });
  }

  static #connect(file: string, options: { readOnly?: boolean; timeout: number }): Database {
    try {
      return new Database(file, new DatabaseSync(file, options));
    } catch (error) {
      throw databaseError(error, file);
    }
  }

  /** Runs statements without parameters. */
  exec(sql: string): void {
    this.#guard(() => this.#connection.exec(sql));
  }

  /** Changes rows; gives how many. */
  run(sql: string, ...values: Value[]): number {
    return this.#guard(() => Number(this.#statement(sql).run(...values).changes));
  }

  /** The first row, as the caller knows its columns. */
  get<Row>(sql: string, ...values: Value[]): Row | undefined {
    return this.#guard(() => this.#statement(sql).get(...values) as unknown as Row | undefined);
  }

  /** All rows, as the caller knows their columns. */
  all<Row>(sql: string, ...values: Value[]): Row[] {
    return this.#guard(() => this.#statement(sql).all(...values) as unknown as Row[]);
  }

  /** Runs `work` whole or not at all. A transaction inside another is part of it. */
  transaction<T>(durability: Durability, work: () => T): T {
    if (this.#depth > 0) return work();
    this.#setDurability(durability);
    this.exec('BEGIN IMMEDIATE');
    this.#depth += 1;
    try {
      const value = work();
      this.exec('COMMIT');
      return value;
    } catch (error) {
      if (this.#connection.isTransaction) this.exec('ROLLBACK');
      throw error;
    } finally {
      this.#depth -= 1;
    }
  }

  close(): void {
    this.#statements.clear();
    if (this.#connection.isOpen) this.#connection.close();
  }

  #setDurability(durability: Durability): void {
    if (this.#durability === durability) return;
    this.exec(`PRAGMA synchronous = ${durability === 'durable' ? 'FULL' : 'NORMAL'}`);
    this.#durability = durability;
  }

  #statement(sql: string): StatementSync {
    const held = this.#statements.get(sql);
    if (held !== undefined) return held;
    const statement = this.#connection.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw databaseError(error, this.file);
    }
  }
}
