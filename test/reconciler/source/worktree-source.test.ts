/**
 * What a working tree's source says when the tree cannot be read for a while.
 */

import { appendFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../reconciler/base/clock.ts';
import type { PolicySource, SourceChange } from '../../../reconciler/source/policy-source.ts';
import type { WorktreeOptions } from '../../../reconciler/source/worktree.ts';
import { openWorktreeSource } from '../../../reconciler/source/worktree-source.ts';
import { writeFiles } from '../../helpers/git-repository.ts';
import { temporaryDirectories } from '../../helpers/temporary-directory.ts';

const fresh = temporaryDirectories();
let source: PolicySource | undefined;
afterEach(async () => {
  await source?.close();
});

async function watched(root: string, options: Partial<WorktreeOptions>): Promise<SourceChange[]> {
  const opened = openWorktreeSource(root, { clock: systemClock, ...options });
  if (!opened.ok) throw new Error(opened.problem.message);
  source = opened.value;
  const seen: SourceChange[] = [];
  await source.onChange((change) => seen.push(change));
  return seen;
}

async function until(condition: () => boolean): Promise<void> {
  for (let wait = 0; wait < 1500 && !condition(); wait += 1) await delay(5);
  expect(condition()).toBe(true);
}

describe('a working tree', () => {
  it('is told of while it settles, and nobody is told of a tree that is the same', async () => {
    const root = fresh();
    writeFiles(root, { a: '1', b: '2' });
    const seen = await watched(root, {});
    const formed: string[] = [];
    source?.onForming?.((snapshot) => void snapshot.read('a').then((bytes) => formed.push(String(bytes))));
    writeFiles(root, { a: '3' });
    await until(() => seen.length === 1);
    expect(formed).toEqual(['3']);
    writeFiles(root, { a: '3' });
    writeFiles(root, { b: '4' });
    await until(() => seen.length === 2);
    expect(seen).toEqual([{ type: 'changed' }, { type: 'changed' }]);
    expect(formed.every((text) => text === '3')).toBe(true);
  });
});

describe('a working tree that cannot be read', () => {
  it('is told of once, and its next good state afterwards', async () => {
    const root = fresh();
    writeFiles(root, { a: '1', b: '2' });
    const seen = await watched(root, { limits: { files: 2, bytes: 1000 } });
    writeFiles(root, { c: '3' });
    await until(() => seen.length === 1);
    expect(seen[0]).toMatchObject({ type: 'problem', problem: { code: 'source.too-large' } });
    writeFiles(root, { a: '4' });
    await delay(100);
    expect(seen).toHaveLength(1);
    rmSync(join(root, 'b'));
    await until(() => seen.length === 2);
    expect(seen[1]).toEqual({ type: 'changed' });
    const snapshot = await source?.snapshot('');
    expect(snapshot?.ok === true ? [...snapshot.value.entries.keys()] : []).toEqual(['a', 'c']);
  });

  it('is read as soon as its files rest', async () => {
    const root = fresh();
    writeFiles(root, { a: 'x' });
    let restless = false;
    const pause = async (): Promise<void> => {
      if (restless) appendFileSync(join(root, 'a'), 'y');
    };
    const seen = await watched(root, { settleMilliseconds: 0, pause });
    restless = true;
    writeFileSync(join(root, 'a'), 'z');
    await until(() => seen.length === 1);
    expect(seen[0]).toMatchObject({ type: 'problem', problem: { code: 'source.unsettled' } });
    restless = false;
    await until(() => seen.some((change) => change.type === 'changed'));
    expect(seen.filter((change) => change.type === 'problem')).toHaveLength(1);
  });

  it('has one watch for many listeners, which ends with the last of them', async () => {
    const root = fresh();
    writeFiles(root, { a: '1' });
    const first = await watched(root, {});
    const second: SourceChange[] = [];
    const end = await source?.onChange((change) => second.push(change));
    writeFiles(root, { a: '2' });
    await until(() => first.length === 1 && second.length === 1);
    await end?.();
    writeFiles(root, { a: '3' });
    await until(() => first.length === 2);
    expect(second).toHaveLength(1);
  });
});
