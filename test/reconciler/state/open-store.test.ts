/**
 * The SQLite store: contract on disk and in memory, one writer, file modes, refusals.
 */

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { ProblemError, type Result } from '../../../agent/protocol/problem.ts';
import { openMemoryStore, openStore } from '../../../reconciler/state/open-store.ts';
import type { Store } from '../../../reconciler/state/store.ts';
import { settledContract } from '../../contract/settled.ts';
import { sampleEntry, samplePlan, storeContract } from '../../contract/store.ts';
import { temporaryDirectories } from '../../helpers/temporary-directory.ts';

const fresh = temporaryDirectories();

function opened(result: Result<Store>): Store {
  if (!result.ok) throw new ProblemError(result.problem);
  return result.value;
}

function refused(result: Result<Store>): string {
  return result.ok ? 'opened' : result.problem.code;
}

storeContract('SQLite on disk', async () => opened(await openStore(fresh(), { mode: 'write' })));
storeContract('SQLite in memory', async () => opened(openMemoryStore()));
settledContract('SQLite on disk', async () => opened(await openStore(fresh(), { mode: 'write' })));
settledContract('SQLite in memory', async () => opened(openMemoryStore()));

describe('openStore', () => {
  it('keeps what was written when it is opened again', async () => {
    const directory = fresh();
    const store = opened(await openStore(directory, { mode: 'write' }));
    await store.ledger.recordApplied('production', sampleEntry('web1', 'web'));
    const unawaited = store.ledger.recordApplied('production', sampleEntry('web2', 'web'));
    await store.close();
    await unawaited;
    const again = opened(await openStore(directory, { mode: 'write' }));
    expect([...((await again.ledger.digests('production')).get('web')?.keys() ?? [])]).toEqual([
      'web1',
      'web2',
    ]);
    await again.close();
  });

  it('closes its files to other accounts', async () => {
    const directory = join(fresh(), 'state');
    const store = opened(await openStore(directory, { mode: 'write' }));
    await store.ledger.recordApplied('production', sampleEntry('web1', 'web'));
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    for (const file of ['state.db', 'state.db-wal', 'writer.pid']) {
      expect(statSync(join(directory, file)).mode & 0o077).toBe(0);
    }
    await store.close();
  });

  it('refuses a second writer with the process that has the directory', async () => {
    const directory = fresh();
    const store = opened(await openStore(directory, { mode: 'write' }));
    const second = await openStore(directory, { mode: 'write' });
    expect(second).toMatchObject({ ok: false, problem: { code: 'state.in-use' } });
    expect(second.ok ? '' : second.problem.message).toContain(`process ${process.pid}`);
    await store.close();
    await opened(await openStore(directory, { mode: 'write' })).close();
  });

  it('refuses a writer in another process while one is open', async () => {
    const directory = fresh();
    const store = opened(await openStore(directory, { mode: 'write' }));
    const module = new URL('../../../reconciler/state/open-store.ts', import.meta.url).href;
    const program = `import { openStore } from ${JSON.stringify(module)};
      const opened = await openStore(${JSON.stringify(directory)}, { mode: 'write' });
      process.stdout.write(opened.ok ? 'opened' : opened.problem.code);`;
    const said = execFileSync(process.execPath, ['--input-type=module-typescript', '-e', program]);
    expect(said.toString()).toBe('state.in-use');
    await store.close();
  });

  it('lets readers in beside the writer, and they see what is committed', async () => {
    const directory = fresh();
    const writer = opened(await openStore(directory, { mode: 'write' }));
    const reader = opened(await openStore(directory, { mode: 'read' }));
    expect((await reader.ledger.digests('production')).size).toBe(0);
    await writer.ledger.recordApplied('production', sampleEntry('web1', 'web'));
    expect((await reader.ledger.digests('production')).size).toBe(1);
    await expect(reader.ledger.recordApplied('production', sampleEntry('web2', 'web'))).rejects.toMatchObject(
      {
        problem: { code: 'state.read-only' },
      },
    );
    await reader.close();
    await writer.close();
  });

  it('gives a reader an empty store before the first run and creates nothing', async () => {
    const directory = join(fresh(), 'nothing');
    const reader = opened(await openStore(directory, { mode: 'read' }));
    expect(await reader.history.runs({ limit: 1 })).toEqual([]);
    await reader.close();
    expect(existsSync(directory)).toBe(false);
  });

  it('names a state file that is no database', async () => {
    const directory = fresh();
    writeFileSync(
      join(directory, 'state.db'),
      'this is not a database, whatever its name may say\n'.repeat(99),
    );
    expect(refused(await openStore(directory, { mode: 'write' }))).toBe('state.corrupt');
    expect(refused(await openStore(directory, { mode: 'read' }))).toBe('state.corrupt');
  });

  it('says so when the directory cannot be made', async () => {
    const file = join(fresh(), 'file');
    writeFileSync(file, '');
    expect(refused(await openStore(join(file, 'state'), { mode: 'write' }))).toBe('state.not-permitted');
    const blocked = fresh();
    mkdirSync(join(blocked, 'state.db'));
    expect(refused(await openStore(blocked, { mode: 'write' }))).toBe('state.not-permitted');
  });

  it('refuses a state that a newer version has written and frees the lock', async () => {
    const directory = fresh();
    await opened(await openStore(directory, { mode: 'write' })).close();
    const database = new DatabaseSync(join(directory, 'state.db'));
    database.exec('PRAGMA user_version = 999');
    database.close();
    expect(refused(await openStore(directory, { mode: 'write' }))).toBe('state.newer-schema');
    expect(refused(await openStore(directory, { mode: 'write' }))).toBe('state.newer-schema');
    expect(refused(await openStore(directory, { mode: 'read' }))).toBe('state.newer-schema');
  });

  it('keeps one plan for all hosts that share it and drops it with the last of them', async () => {
    const directory = fresh();
    const store = opened(await openStore(directory, { mode: 'write' }));
    const hosts = ['web1', 'web2', 'web3'];
    for (const host of hosts) await store.ledger.recordApplied('production', sampleEntry(host, 'web'));
    const database = new DatabaseSync(join(directory, 'state.db'), { readOnly: true });
    const documents = (): unknown => database.prepare('SELECT count(*) AS count FROM documents').get()?.count;
    expect(documents()).toBe(2);
    const plan = samplePlan('web1', 'web', 'other');
    await store.ledger.recordApplied('production', sampleEntry('web1', 'web', { plan }));
    expect(documents()).toBe(3);
    for (const host of hosts) await store.ledger.release('production', host, 'web');
    expect(documents()).toBe(0);
    database.close();
    await store.close();
  });

  it('writes the holder of the lock where people can read it', async () => {
    const directory = fresh();
    const store = opened(await openStore(directory, { mode: 'write' }));
    expect(readFileSync(join(directory, 'writer.pid'), 'utf8')).toBe(`${process.pid}\n`);
    await store.close();
  });
});
