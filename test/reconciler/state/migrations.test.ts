/**
 * Schema steps: from nothing, from an older version, and back out of a step that fails.
 */

import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Database } from '../../../reconciler/state/database.ts';
import { checkSchema, migrate, migrations, schemaVersion } from '../../../reconciler/state/migrations.ts';
import { temporaryDirectories } from '../../helpers/temporary-directory.ts';

const fresh = temporaryDirectories();

function withDatabase(work: (database: Database) => void): void {
  const database = Database.open(join(fresh(), 'state.db'), 'write');
  try {
    work(database);
  } finally {
    database.close();
  }
}

const add = { name: 'add a table', sql: 'CREATE TABLE extra (id INTEGER PRIMARY KEY) STRICT;' };
const broken = {
  name: 'broken',
  sql: 'CREATE TABLE half (id INTEGER) STRICT; CREATE TABLE half (id INTEGER);',
};

describe('migrate', () => {
  it('makes the whole schema from an empty file and does nothing the second time', () => {
    withDatabase((database) => {
      expect(migrate(database)).toEqual({ ok: true, value: undefined });
      expect(schemaVersion(database)).toBe(migrations.length);
      expect(migrate(database)).toEqual({ ok: true, value: undefined });
      expect(checkSchema(database)).toEqual({ ok: true, value: undefined });
    });
  });

  it('runs only the steps an older file lacks and keeps its rows', () => {
    withDatabase((database) => {
      migrate(database);
      database.run("INSERT INTO environments VALUES ('production', '{}')");
      expect(migrate(database, [...migrations, add]).ok).toBe(true);
      expect(schemaVersion(database)).toBe(migrations.length + 1);
      expect(database.get('SELECT name FROM environments')).toMatchObject({ name: 'production' });
      database.run('INSERT INTO extra VALUES (1)');
    });
  });

  it('leaves the file as it was when a step fails', () => {
    withDatabase((database) => {
      migrate(database);
      const failed = migrate(database, [...migrations, broken]);
      expect(failed).toMatchObject({
        ok: false,
        problem: { code: 'state.migration-failed', cause: { code: 'state.failed' } },
      });
      expect(schemaVersion(database)).toBe(migrations.length);
      expect(database.all("SELECT 1 FROM sqlite_schema WHERE name = 'half'")).toEqual([]);
    });
  });

  it('refuses a file that is ahead, and a reader one that is behind', () => {
    withDatabase((database) => {
      migrate(database, [...migrations, add]);
      expect(migrate(database)).toMatchObject({ ok: false, problem: { code: 'state.newer-schema' } });
      expect(checkSchema(database)).toMatchObject({ ok: false, problem: { code: 'state.newer-schema' } });
      expect(checkSchema(database, [...migrations, add, add])).toMatchObject({
        ok: false,
        problem: { code: 'state.older-schema' },
      });
    });
  });
});
