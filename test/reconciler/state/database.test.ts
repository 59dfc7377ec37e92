/**
 * Errors of the engine as Problems, and transactions that are whole or absent.
 */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Database, databaseError } from '../../../reconciler/state/database.ts';
import { takeWriterLock } from '../../../reconciler/state/writer-lock.ts';
import { temporaryDirectories } from '../../helpers/temporary-directory.ts';

const fresh = temporaryDirectories();

function problemOf(work: () => unknown): unknown {
  try {
    work();
    return 'no problem';
  } catch (error) {
    return error instanceof Error && 'problem' in error ? error.problem : error;
  }
}

function withTable(work: (database: Database) => void): void {
  const database = Database.open(join(fresh(), 'a.db'), 'write');
  try {
    database.exec('CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB) STRICT');
    work(database);
  } finally {
    database.close();
  }
}

describe('a database', () => {
  it('says that the disk is full, and keeps what was there', () => {
    withTable((database) => {
      database.run('INSERT INTO t VALUES (1, NULL)');
      database.exec('PRAGMA max_page_count = 10');
      const fill = (): void =>
        database.transaction('durable', () => {
          database.run('INSERT INTO t VALUES (2, NULL)');
          database.run('INSERT INTO t VALUES (3, zeroblob(1000000))');
        });
      expect(problemOf(fill)).toMatchObject({ code: 'state.disk-full' });
      expect(database.all('SELECT a FROM t')).toMatchObject([{ a: 1 }]);
    });
  });

  it('says that another connection writes', () => {
    const file = join(fresh(), 'a.db');
    const first = Database.openPlain(file);
    const second = Database.openPlain(file);
    first.exec('BEGIN EXCLUSIVE');
    expect(problemOf(() => second.exec('BEGIN EXCLUSIVE'))).toMatchObject({
      code: 'state.busy',
      message: expect.stringContaining(file),
    });
    first.close();
    second.close();
    second.close();
  });

  it('makes an inner transaction part of the outer one', () => {
    withTable((database) => {
      const outer = (): void =>
        database.transaction('ordered', () => {
          database.transaction('durable', () => database.run('INSERT INTO t VALUES (1, NULL)'));
          throw new RangeError('changed my mind');
        });
      expect(problemOf(outer)).toBeInstanceOf(RangeError);
      expect(database.all('SELECT a FROM t')).toEqual([]);
    });
  });

  it('gives a constraint that does not hold as a failure, and other errors back as they are', () => {
    withTable((database) => {
      database.run('INSERT INTO t VALUES (1, NULL)');
      expect(problemOf(() => database.run('INSERT INTO t VALUES (1, NULL)'))).toMatchObject({
        code: 'state.failed',
      });
    });
    const other = new Error('other');
    expect(databaseError(other, 'file')).toBe(other);
  });
});

describe('takeWriterLock', () => {
  it('says so when the lock file cannot be opened', () => {
    const directory = fresh();
    mkdirSync(join(directory, 'writer.lock'));
    expect(takeWriterLock(directory)).toMatchObject({
      ok: false,
      problem: { code: 'state.not-permitted' },
    });
  });
});
