/**
 * Opens the state directory: one writer with the lock, or any number of readers without it.
 * Invariant: directory 0700, database 0600, on a local disk, at exactly this version's schema.
 * Never lets two writers in, and never creates anything for a reader.
 */

import { chmodSync, closeSync, existsSync, openSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { failure, ProblemError, type Result, success } from '../../agent/protocol/problem.ts';
import { isNetworkFileSystem } from '../base/file-system.ts';
import { stateProblem } from '../base/problem-codes/state.ts';
import { Database, type DatabaseMode } from './database.ts';
import { createHistory } from './history.ts';
import { createLedger } from './ledger.ts';
import { makeDirectory } from './make-directory.ts';
import { checkSchema, migrate } from './migrations.ts';
import { createNames } from './names.ts';
import { createEnvironments, createFacts } from './records.ts';
import type { Store } from './store.ts';
import { createWriter } from './writer.ts';
import { takeWriterLock, type WriterLock } from './writer-lock.ts';

export interface StoreOptions {
  /** `read` needs no lock and works beside a writer; before the first run it gives an empty store. */
  readonly mode: DatabaseMode;
}

/** Opens the store of a state directory; creates the directory for a writer. */
export async function openStore(directory: string, options: StoreOptions): Promise<Result<Store>> {
  const file = join(directory, 'state.db');
  try {
    if (options.mode === 'write') return openForWriting(directory, file);
    return existsSync(file) ? openForReading(file) : openMemoryStore();
  } catch (error) {
    if (error instanceof ProblemError) return failure(error.problem);
    if (error instanceof Error && 'code' in error && 'syscall' in error) {
      return failure(stateProblem('state.not-permitted', `state directory ${directory}: ${error.message}`));
    }
    throw error;
  }
}

/** A store that lives as long as it is open. */
export function openMemoryStore(): Result<Store> {
  const database = Database.open(':memory:', 'write');
  const migrated = migrate(database);
  return migrated.ok ? success(buildStore(database)) : migrated;
}

function openForWriting(directory: string, file: string): Result<Store> {
  makeDirectory(directory);
  if (isNetworkFileSystem(statfsSync(directory).type)) {
    return failure(stateProblem('state.network-file-system', `${directory} is on a network file system`));
  }
  chmodSync(directory, 0o700);
  const lock = takeWriterLock(directory);
  if (!lock.ok) return lock;
  let database: Database | undefined;
  try {
    closeSync(openSync(file, 'a', 0o600));
    database = Database.open(file, 'write');
    const migrated = migrate(database);
    if (migrated.ok) return success(buildStore(database, lock.value));
    close(database, lock.value);
    return migrated;
  } catch (error) {
    close(database, lock.value);
    throw error;
  }
}

function openForReading(file: string): Result<Store> {
  const database = Database.open(file, 'read');
  const checked = checkSchema(database);
  if (checked.ok) return success(buildStore(database));
  database.close();
  return checked;
}

function buildStore(database: Database, lock?: WriterLock): Store {
  const names = createNames(database);
  const { write, flush } = createWriter(database, names);
  return {
    ledger: createLedger(database, names, { write, alone: lock !== undefined }),
    facts: createFacts(database, write),
    history: createHistory(database, write),
    environments: createEnvironments(database, write),
    close: async () => {
      flush();
      close(database, lock);
    },
  };
}

function close(database: Database | undefined, lock: WriterLock | undefined): void {
  database?.close();
  lock?.release();
}
