/**
 * One writer per state directory: an exclusive SQLite transaction on a database of its own, held for life.
 * Invariant: the kernel frees the lock with its process, so a crash leaves nothing to clean up; the pid file is only for messages.
 * Never decides by the pid file.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { failure, ProblemError, type Result, success } from '../../agent/protocol/problem.ts';
import { stateProblem } from '../base/problem-codes/state.ts';
import { Database } from './database.ts';

export interface WriterLock {
  release(): void;
}

/** Takes the lock of a state directory, or says which process has it. */
export function takeWriterLock(directory: string): Result<WriterLock> {
  const holderFile = join(directory, 'writer.pid');
  let database: Database | undefined;
  try {
    database = Database.openPlain(join(directory, 'writer.lock'));
    database.exec('BEGIN EXCLUSIVE');
    writeFileSync(holderFile, `${process.pid}\n`, { mode: 0o600 });
    const held = database;
    return success({ release: () => held.close() });
  } catch (error) {
    database?.close();
    if (!(error instanceof ProblemError)) throw error;
    if (error.problem.code !== 'state.busy') return failure(error.problem);
    return failure(stateProblem('state.in-use', `${directory} is in use by process ${holder(holderFile)}`));
  }
}

function holder(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim() || 'unknown';
  } catch {
    return 'unknown';
  }
}
