/**
 * The journal: what a killed run leaves, what the next one takes from it, and what is forgotten when.
 * Invariant: files are cut where a crash would cut them; nothing of the journal is imitated.
 * Never reaches a place outside its temporary directory.
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Journal } from '../../agent/journal.ts';
import type { ConvergeResult } from '../../agent/protocol/message.ts';
import { countOutcomes } from '../../agent/protocol/outcome.ts';
import { temporaryDirectories } from '../helpers/temporary-directory.ts';

const directories = temporaryDirectories();
const begin = (run: string) => ({ run, key: 'e/r', digest: 'd', startedAt: `2026-01-02T03:04:0${run}Z` });
const report = { resource: 'file:/x', outcome: 'changed' as const, changes: [], milliseconds: 1 };

function resultOf(run: string, ok: boolean): ConvergeResult {
  const { key, digest } = begin(run);
  const rest = { mode: 'apply' as const, reports: [], milliseconds: 1, outcomes: countOutcomes([]) };
  return { key, digest, run, complete: ok, ok, ...rest };
}

describe('the journal', () => {
  it('knows after a crash what was done and which handlers are owed', async () => {
    const journal = new Journal(join(directories(), 'journal'));
    const record = journal.record(begin('1'));
    await record.owes(['reload']);
    await record.done(report, { changed: true });
    expect(await journal.entries()).toMatchObject([{ run: '1', reports: [{ resource: 'file:/x' }] }]);
    const left = await journal.interrupted('e/r', 'd');
    expect([...(left?.owes ?? [])]).toEqual(['reload']);
    expect(left?.done.get('file:/x')?.registered).toEqual({ changed: true });
    const other = await journal.interrupted('e/r', 'another plan');
    expect(other?.done.size).toBe(0);
    expect([...(other?.owes ?? [])]).toEqual(['reload']);
  });

  it('reads a file that a crash has cut anywhere', async () => {
    const folder = join(directories(), 'journal');
    const journal = new Journal(folder);
    const record = journal.record(begin('1'));
    await record.owes(['reload']);
    await record.done(report, undefined);
    const file = join(folder, readdirSync(folder)[0] ?? '');
    const whole = readFileSync(file, 'utf8');
    for (let size = whole.length; size >= 0; size -= 1) {
      writeFileSync(file, whole.slice(0, size));
      const entries = await journal.entries();
      expect(entries.length, `cut at ${size}`).toBe(size < whole.indexOf('\n') ? 0 : 1);
    }
  });

  it('removes a file cut inside its first line once a later run has ended well', async () => {
    const folder = join(directories(), 'towline', 'journal');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'empty.journal'), '');
    writeFileSync(join(folder, 'cut.journal'), '{"begin":{"run":"0"');
    const journal = new Journal(folder);
    const record = journal.record(begin('1'));
    await record.done(report, undefined);
    await record.end(resultOf('1', true));
    await journal.settle('e/r', '1');
    expect(readdirSync(folder)).toEqual(['1.e_r.journal']);
    await journal.recorded(['1']);
    expect(existsSync(join(folder, '..'))).toBe(false);
  });

  it('keeps what is owed of a recorded run, also behind a line that was cut', async () => {
    const folder = join(directories(), 'journal');
    const journal = new Journal(folder);
    await journal.record(begin('1')).owes(['reload']);
    const file = join(folder, readdirSync(folder)[0] ?? '');
    writeFileSync(file, `${readFileSync(file, 'utf8')}{"done":{"resou`);
    await journal.recorded(['1']);
    expect(await journal.entries()).toEqual([]);
    expect([...((await journal.interrupted('e/r', 'd'))?.owes ?? [])]).toEqual(['reload']);
  });
});
