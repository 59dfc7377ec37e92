/**
 * Snapshots of a working tree: only settled files, only what changed is read, the same bytes for ever.
 */

import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProblemError, type Result } from '../../../agent/protocol/problem.ts';
import { systemClock } from '../../../reconciler/base/clock.ts';
import { heldContent } from '../../../reconciler/base/content.ts';
import type { SourceSnapshot } from '../../../reconciler/source/git-store.ts';
import { changedPaths } from '../../../reconciler/source/snapshot.ts';
import { openWorktree, type Worktree, type WorktreeOptions } from '../../../reconciler/source/worktree.ts';
import { createRepository, runGit, writeFiles } from '../../helpers/git-repository.ts';
import { temporaryDirectories } from '../../helpers/temporary-directory.ts';

const fresh = temporaryDirectories();

function value<T>(result: Result<T>): T {
  if (!result.ok) throw new ProblemError(result.problem);
  return result.value;
}

function tree(files: Record<string, string>, options: Partial<WorktreeOptions> = {}): [string, Worktree] {
  const root = fresh();
  writeFiles(root, files);
  return [root, openWorktree(root, { clock: systemClock, ...options })];
}

async function contents(snapshot: SourceSnapshot): Promise<Record<string, string>> {
  const all: Record<string, string> = {};
  for (const path of snapshot.entries.keys()) all[path] = (await snapshot.read(path)).toString();
  return all;
}

describe('a worktree snapshot', () => {
  it('has every policy file, sorted, without what is not policy', async () => {
    const [root, worktree] = tree({
      'roles/web/role.ts': 'web',
      'a.txt': 'a',
      '.git/HEAD': 'x',
      'node_modules/towline/index.js': 'x',
      'roles/web/.role.ts.swp': 'x',
      'roles/web/role.ts~': 'x',
      '.#a.txt': 'x',
      '4913': 'x',
      '.towline/types.d.ts': 'x',
    });
    symlinkSync('a.txt', join(root, 'link'));
    chmodSync(join(root, 'a.txt'), 0o755);
    const snapshot = value(await worktree.snapshot());
    expect([...snapshot.entries.keys()]).toEqual(['a.txt', 'roles/web/role.ts']);
    expect(snapshot.entries.get('a.txt')?.executable).toBe(true);
    expect(snapshot.skipped).toEqual([{ path: 'link', kind: 'symbolic-link' }]);
    expect(snapshot.revision).toMatchObject({ subject: '', author: '' });
    expect(snapshot.revision.id).toMatch(/^worktree:[0-9a-f]{64}$/);
  });

  it('has the same id for the same tree, and another one after a change', async () => {
    const [root, worktree] = tree({ a: '1', b: '2' });
    const first = value(await worktree.snapshot());
    utimesSync(join(root, 'a'), 1, 1);
    const second = value(await worktree.snapshot());
    expect(second.revision.id).toBe(first.revision.id);
    writeFileSync(join(root, 'a'), '3');
    const third = value(await worktree.snapshot(['a']));
    expect(third.revision.id).not.toBe(first.revision.id);
    expect(changedPaths(first, third)).toEqual(['a']);
    chmodSync(join(root, 'b'), 0o755);
    expect(value(await worktree.snapshot()).revision.id).not.toBe(third.revision.id);
  });

  it('gives a file the id that it has in a commit', async () => {
    const root = fresh();
    createRepository(root, { 'a.txt': 'one\n', 'empty.txt': '', 'umlaut.txt': 'ä' });
    const snapshot = value(await openWorktree(root, { clock: systemClock }).snapshot());
    const committed = runGit(root, 'ls-tree', '--format=%(path) %(objectname)', 'HEAD').split('\n');
    const ids = [...snapshot.entries.values()].map(({ path, id }) => `${path} ${id}`);
    expect(ids).toEqual(committed);
  });

  it('keeps giving the bytes it was made of', async () => {
    const [root, worktree] = tree({ a: 'before' });
    const snapshot = value(await worktree.snapshot());
    writeFileSync(join(root, 'a'), 'after');
    (await snapshot.read('a')).fill(0);
    value(await worktree.snapshot());
    expect(await contents(snapshot)).toEqual({ a: 'before' });
    await expect(snapshot.read('b')).rejects.toMatchObject({ problem: { code: 'source.no-such-file' } });
  });

  it('sees a second write of the same length within one clock tick', async () => {
    const [root, worktree] = tree({ a: '0' });
    for (let round = 0; round < 40; round += 1) {
      writeFileSync(join(root, 'a'), String(round % 10));
      const snapshot = value(await worktree.snapshot(round % 2 === 0 ? undefined : ['a']));
      expect(await contents(snapshot)).toEqual({ a: String(round % 10) });
    }
  });

  it('follows hints to files, folders and what is gone', async () => {
    const [root, worktree] = tree({ 'a/1': 'x', 'a/2': 'x', b: 'x', 'c/d/e': 'x' });
    value(await worktree.snapshot());
    rmSync(join(root, 'a'), { recursive: true });
    renameSync(join(root, 'c'), join(root, 'z'));
    writeFileSync(join(root, 'a'), 'now a file');
    const snapshot = value(await worktree.snapshot(['a', 'c', 'z', 'never/was', '.git/index']));
    expect(await contents(snapshot)).toEqual({ a: 'now a file', b: 'x', 'z/d/e': 'x' });
  });

  it('reads a file again that is written while it looks', async () => {
    let writes = 0;
    const [root, worktree] = tree(
      { a: 'old' },
      {
        pause: async () => {
          if (writes < 3) appendFileSync(join(root, 'a'), `part ${writes++};`);
        },
      },
    );
    expect(await contents(value(await worktree.snapshot()))).toEqual({ a: 'oldpart 0;part 1;part 2;' });
  });

  it('waits for an empty file that is about to be written', async () => {
    const [root, worktree] = tree({ a: 'old' });
    value(await worktree.snapshot());
    writeFileSync(join(root, 'a'), '');
    setTimeout(() => writeFileSync(join(root, 'a'), 'new'), 5);
    expect(await contents(value(await worktree.snapshot(['a'])))).toEqual({ a: 'new' });
  });

  it('says which file does not settle', async () => {
    let count = 0;
    const [root, worktree] = tree(
      { 'roles/a': 'x' },
      {
        settleMilliseconds: 30,
        pause: (milliseconds) => {
          writeFileSync(join(root, 'roles/a'), `write ${count++}`);
          return delay(milliseconds);
        },
      },
    );
    const refused = await worktree.snapshot();
    expect(refused).toMatchObject({
      ok: false,
      problem: { code: 'source.unsettled', where: { file: 'roles/a' } },
    });
  });

  it('never has a file in halves while a writer is at work', async () => {
    const [root, worktree] = tree({ a: 'begin 0 end' });
    let writing = true;
    const writer = (async () => {
      for (let round = 1; writing; round += 1) {
        writeFileSync(join(root, 'a'), `begin ${'x'.repeat(round % 97)}`);
        await new Promise((resolve) => setImmediate(resolve));
        appendFileSync(join(root, 'a'), ' end');
        await delay(6);
      }
    })();
    for (let look = 0; look < 25; look += 1) {
      const text = (await contents(value(await worktree.snapshot(look % 3 === 0 ? undefined : ['a'])))).a;
      expect(text).toMatch(/^begin .* end$/);
    }
    writing = false;
    await writer;
  });

  it('waits while git is at work and reads when it is done', async () => {
    const root = fresh();
    createRepository(root, { a: '1' });
    const git = join(root, '.git');
    const signs = ['index.lock', 'MERGE_HEAD', 'CHERRY_PICK_HEAD', 'REVERT_HEAD', 'rebase-merge'];
    let waits = 0;
    const pause = async (): Promise<void> => {
      waits += 1;
      if (waits % 3 === 0)
        for (const sign of signs) rmSync(join(git, sign), { recursive: true, force: true });
    };
    const worktree = openWorktree(root, { clock: systemClock, settleMilliseconds: 60_000, pause });
    expect(value(await worktree.snapshot()).revision.branch).toBe('main');
    for (const sign of signs) {
      waits = 0;
      mkdirSync(join(git, sign));
      value(await worktree.snapshot());
      expect(waits).toBe(3);
    }
  });

  it('says what git is doing when that takes too long', async () => {
    const root = fresh();
    createRepository(root, { a: '1' });
    writeFileSync(join(root, '.git/MERGE_HEAD'), '');
    const worktree = openWorktree(root, { clock: systemClock, settleMilliseconds: 0 });
    expect(await worktree.snapshot()).toMatchObject({
      ok: false,
      problem: { code: 'source.repository-busy', message: expect.stringContaining('a merge is in progress') },
    });
  });

  it('refuses trees that are too much, whole', async () => {
    const [, many] = tree({ a: '1', b: '2', c: '3' }, { limits: { files: 2, bytes: 100 } });
    expect(await many.snapshot()).toMatchObject({ ok: false, problem: { code: 'source.too-large' } });
    const [, large] = tree({ a: 'x'.repeat(60), b: 'x'.repeat(60) }, { limits: { files: 9, bytes: 100 } });
    expect(await large.snapshot()).toMatchObject({ ok: false, problem: { code: 'source.too-large' } });
    const [root, growing] = tree({ a: 'x'.repeat(60) }, { limits: { files: 2, bytes: 100 } });
    value(await growing.snapshot());
    writeFileSync(join(root, 'b'), 'x'.repeat(60));
    expect(await growing.snapshot(['b'])).toMatchObject({ ok: false, problem: { code: 'source.too-large' } });
    writeFiles(root, { b: '', c: '' });
    expect(await growing.snapshot(['b', 'c'])).toMatchObject({ ok: false });
    writeFileSync(join(root, 'c'), 'x'.repeat(101));
    expect(await growing.snapshot(['c'])).toMatchObject({ ok: false });
  });

  it('does not take a root that is gone for an empty tree', async () => {
    const [root, worktree] = tree({ a: '1' });
    value(await worktree.snapshot());
    rmSync(root, { recursive: true });
    expect(await worktree.snapshot()).toMatchObject({ ok: false, problem: { code: 'source.unreadable' } });
    writeFiles(root, { b: '2' });
    expect(await contents(value(await worktree.snapshot()))).toEqual({ b: '2' });
  });

  it.skipIf(process.getuid?.() === 0)('names a file it may not read', async () => {
    const [root, worktree] = tree({ a: '1' });
    chmodSync(join(root, 'a'), 0);
    expect(await worktree.snapshot()).toMatchObject({ ok: false, problem: { code: 'source.unreadable' } });
  });

  it('is the same by hints as by looking at everything', async () => {
    const name = fc.constantFrom('a', 'b', 'c/d', 'c/e', 'c/f/g', 'h');
    const act = fc.record({ name, kind: fc.constantFrom('write', 'remove'), text: fc.string() });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(act, { maxLength: 4 }), { maxLength: 4 }), async (rounds) => {
        const noWait = { pause: async () => undefined };
        const [root, hinted] = tree({ a: '0', 'c/d': '1' }, noWait);
        let before = value(await hinted.snapshot());
        for (const acts of rounds) {
          for (const one of acts) {
            mkdirSync(dirname(join(root, one.name)), { recursive: true });
            if (one.kind === 'write') writeFileSync(join(root, one.name), one.text);
            else rmSync(join(root, one.name), { recursive: true, force: true });
          }
          const after = value(await hinted.snapshot(acts.map((one) => one.name)));
          const whole = value(await openWorktree(root, { clock: systemClock, ...noWait }).snapshot());
          expect(after.revision.id).toBe(whole.revision.id);
          expect(await contents(after)).toEqual(await contents(whole));
          const touched = new Set(acts.map((one) => one.name));
          for (const path of changedPaths(before, after)) expect(touched).toContain(path);
          before = after;
        }
      }),
      { numRuns: 40 },
    );
  });

  it('takes one whole tree after a checkout of many files', async () => {
    const root = fresh();
    const numbered = (text: string): Record<string, string> =>
      Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`d${index % 10}/f${index}`, text]));
    createRepository(root, numbered('one'));
    runGit(root, 'checkout', '-q', '-b', 'two');
    writeFiles(root, numbered('two'));
    runGit(root, 'commit', '-q', '-a', '-m', 'two');
    const worktree = openWorktree(root, { clock: systemClock });
    value(await worktree.snapshot());
    runGit(root, 'checkout', '-q', 'main');
    const snapshot = value(await worktree.snapshot());
    expect(new Set(Object.values(await contents(snapshot)))).toEqual(new Set(['one']));
    expect(statSync(root).isDirectory()).toBe(true);
  });
});

describe('changedPaths', () => {
  it('names exactly the paths whose content differs, sorted, in both directions', () => {
    const files = fc.dictionary(fc.constantFrom('a', 'b', 'c/d', 'e'), fc.constantFrom('1', '2'));
    const snapshot = (of: Record<string, string>): SourceSnapshot => ({
      revision: { id: '', subject: '', author: '' },
      entries: new Map(Object.entries(of).map(([path, id]) => [path, { path, id, executable: false }])),
      skipped: [],
      read: async () => Buffer.alloc(0),
      open: async () => heldContent(Buffer.alloc(0)),
    });
    fc.assert(
      fc.property(files, files, (before, after) => {
        const paths = new Set([...Object.keys(before), ...Object.keys(after)]);
        const expected = [...paths].filter((path) => before[path] !== after[path]).sort();
        expect(changedPaths(snapshot(before), snapshot(after))).toEqual(expected);
        expect(changedPaths(snapshot(after), snapshot(before))).toEqual(expected);
      }),
    );
  });
});
