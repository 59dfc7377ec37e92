/**
 * What the journal remembers of runs, over kills, torn lines and records.
 * Invariant: real files in a temporary directory; a kill is a record that is never ended.
 * Never a timing assertion.
 */

import { appendFileSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Journal, type JournalRecord } from '../../agent/journal.ts';
import type { ConvergeResult } from '../../agent/protocol/message.ts';
import { countOutcomes, type ResourceReport } from '../../agent/protocol/outcome.ts';

let root = '';
let journal: Journal;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'towline-journal-'));
  journal = new Journal(join(root, 'state/journal'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const did = (resource: string): ResourceReport => ({
  resource,
  outcome: 'changed',
  changes: [{ action: 'run', property: 'command' }],
  milliseconds: 1,
});

function record(run: string, more: { key?: string; digest?: string } = {}): JournalRecord {
  return journal.record({
    run,
    key: 'env/web',
    digest: 'd1',
    startedAt: `2026-01-01T00:00:0${run}Z`,
    ...more,
  });
}

function end(run: string, more: Partial<ConvergeResult> = {}): ConvergeResult {
  const outcomes = countOutcomes([]);
  return {
    ...{ key: 'env/web', digest: 'd1', run, mode: 'apply', complete: true, ok: true, outcomes, reports: [] },
    milliseconds: 1,
    ...more,
  } as ConvergeResult;
}

const files = (): string[] =>
  existsSync(join(root, 'state')) ? readdirSync(join(root, 'state/journal')) : [];

describe('the journal', () => {
  it('leaves no file of a run that changed nothing', async () => {
    record('1').end(end('1'));
    expect(files()).toEqual([]);
    expect(await journal.entries()).toEqual([]);
  });

  it('tells of an ended run until it is recorded, and then leaves nothing behind', async () => {
    const one = record('1');
    one.done(did('command:a'), undefined);
    one.end(end('1'));
    const [entry] = await journal.entries();
    expect(entry).toMatchObject({ run: '1', key: 'env/web', result: { ok: true } });
    expect(entry?.reports).toEqual([{ ...did('command:a'), changes: [] }]);
    expect(await journal.interrupted('env/web', 'd1')).toBeUndefined();
    await journal.recorded(['1']);
    expect(readdirSync(root)).toEqual([]);
  });

  it('keeps what a killed run did and owes after it was recorded, until its role ended well', async () => {
    const one = record('1');
    one.owes(['reload']);
    one.done(did('command:a'), { rc: 0 });
    await journal.recorded(['1']);
    expect(await journal.entries()).toEqual([]);
    const left = await journal.interrupted('env/web', 'd1');
    expect([...(left?.owes ?? [])]).toEqual(['reload']);
    expect(left?.done.get('command:a')?.registered).toEqual({ rc: 0 });
    await journal.settle('env/web', '2');
    expect(readdirSync(root)).toEqual([]);
  });

  it('counts acts of a killed run for the same plan only, and its debts for any', async () => {
    const one = record('1');
    one.owes(['reload']);
    one.done(did('command:a'), undefined);
    const other = await journal.interrupted('env/web', 'd2');
    expect(other?.done.size).toBe(0);
    expect([...(other?.owes ?? [])]).toEqual(['reload']);
    expect(await journal.interrupted('env/db', 'd1')).toBeUndefined();
  });

  it('takes a debt off when a later run settled it', async () => {
    record('1').owes(['reload', 'restart']);
    const two = record('2');
    two.settled('reload');
    two.end(end('2', { ok: false }));
    expect([...((await journal.interrupted('env/web', 'd1'))?.owes ?? [])]).toEqual(['restart']);
  });

  it('forgets a failed run that owes nothing once it is recorded', async () => {
    const one = record('1');
    one.done(did('command:a'), undefined);
    one.end(end('1', { ok: false }));
    await journal.recorded(['1']);
    expect(readdirSync(root)).toEqual([]);
  });

  it('keeps a record made while the run it is about still writes', async () => {
    const one = record('1');
    one.done(did('command:a'), undefined);
    await journal.recorded(['1']);
    one.done(did('command:b'), undefined);
    one.end(end('1', { ok: false, complete: false }));
    const left = await journal.interrupted('env/web', 'd1');
    expect([...(left?.done.keys() ?? [])]).toEqual(['command:a', 'command:b']);
  });

  it('reads past lines that a crash cut off and lines that are not its own', async () => {
    const one = record('1');
    one.done(did('command:a'), undefined);
    const [name = ''] = files();
    appendFileSync(join(root, 'state/journal', name), '{"done":{"resou');
    await journal.recorded(['1']);
    appendFileSync(join(root, 'state/journal', name), 'null\n5\n"text"\n');
    writeFileSync(join(root, 'state/journal/torn.journal'), '{"begin":{"run":"9"');
    expect(await journal.entries()).toEqual([]);
    expect([...((await journal.interrupted('env/web', 'd1'))?.done.keys() ?? [])]).toEqual(['command:a']);
    await journal.settle('env/web', '2');
    expect(readdirSync(root)).toEqual([]);
  });

  it('keeps to its directory whatever a run is called', async () => {
    record('../../1').done(did('command:a'), undefined);
    expect(files().length).toBe(1);
    expect(readdirSync(root)).toEqual(['state']);
  });

  it('tells of the last hundred runs only', async () => {
    for (let run = 0; run < 110; run += 1) {
      const each = journal.record({
        run: `r${run}`,
        key: 'env/web',
        digest: 'd',
        startedAt: new Date(run).toISOString(),
      });
      await each.done(did('command:a'), undefined);
    }
    const entries = await journal.entries();
    expect([entries.length, entries[0]?.run, entries.at(-1)?.run]).toEqual([100, 'r10', 'r109']);
  });

  it('goes on where the disk does not take it', async () => {
    writeFileSync(join(root, 'state'), 'a file in the way');
    const one = record('1');
    one.owes(['reload']);
    one.end(end('1'));
    expect(await journal.entries()).toEqual([]);
  });
});
