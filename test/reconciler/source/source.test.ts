/**
 * The three kinds of policy source behind one interface.
 */

import { renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { ProblemError, type Result } from '../../../agent/protocol/problem.ts';
import { systemClock } from '../../../reconciler/base/clock.ts';
import type { PolicySource, SourceChange, SourceOptions } from '../../../reconciler/source/policy-source.ts';
import { openSource } from '../../../reconciler/source/source.ts';
import { hasGitBackend, serveGit } from '../../helpers/git-http.ts';
import { commitFiles, createRepository, runGit, writeFiles } from '../../helpers/git-repository.ts';
import { temporaryDirectories } from '../../helpers/temporary-directory.ts';

const fresh = temporaryDirectories();
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function value<T>(result: Result<T>): T {
  if (!result.ok) throw new ProblemError(result.problem);
  return result.value;
}

async function open(text: string, change: Partial<SourceOptions> = {}): Promise<PolicySource> {
  const root = fresh();
  const source = value(
    await openSource(text, {
      clock: systemClock,
      mode: 'git',
      directory: root,
      stateDirectory: root,
      ...change,
    }),
  );
  closing.push(() => source.close());
  return source;
}

async function changes(source: PolicySource): Promise<(count: number) => Promise<SourceChange[]>> {
  const seen: SourceChange[] = [];
  closing.push(await source.onChange((change) => seen.push(change)));
  return async (count) => {
    for (let wait = 0; wait < 1000 && seen.length < count; wait += 1) await delay(5);
    await delay(80);
    return seen;
  };
}

function repository(files: Record<string, string> = { 'towline.toml': 'a = 1\n' }): [string, string] {
  const path = join(fresh(), 'policy');
  return [path, createRepository(path, files)];
}

describe('openSource', () => {
  it.each([
    ['nowhere', 'git', 'source.no-such-repository'],
    ['.', 'git', 'source.no-such-repository'],
    ['https://a:b@git.example.org/x', 'git', 'source.credentials-in-url'],
    ['https://git.example.org/x', 'worktree', 'source.bad-location'],
  ] as const)('refuses %s as %s', async (text, mode, code) => {
    await expect(open(text, { mode })).rejects.toMatchObject({ problem: { code } });
  });
});

describe('a local repository as a source', () => {
  it('gives branches with their dates and the tree of each', async () => {
    const [path, first] = repository();
    runGit(path, 'branch', 'feature/x');
    const source = await open(path);
    const committedAt = '2026-01-02T03:04:05.000Z';
    for (let look = 0; look < 2; look += 1) {
      expect(value(await source.branches())).toEqual([
        { name: 'feature/x', commit: first, committedAt },
        { name: 'main', commit: first, committedAt },
      ]);
    }
    const snapshot = value(await source.snapshot('main'));
    expect(snapshot.revision).toMatchObject({ id: first, branch: 'main' });
    expect(value(await source.refresh())).toBe(false);
    expect(await source.snapshot('nope')).toMatchObject({
      ok: false,
      problem: {
        code: 'source.no-such-branch',
        message: 'there is no branch nope; there are feature/x, main',
      },
    });
    expect(source.describe()).toContain(path);
  });

  it('still gives an older commit after the branch moved on', async () => {
    const [path, first] = repository();
    commitFiles(path, { 'towline.toml': 'a = 2\n' });
    const source = await open(path);
    expect(value(await source.snapshotAt(first.slice(0, 8))).revision.id).toBe(first);
    expect((await value(await source.snapshotAt(first, 'main')).read('towline.toml')).toString()).toBe(
      'a = 1\n',
    );
    expect((await value(await source.snapshot('main')).read('towline.toml')).toString()).toBe('a = 2\n');
  });

  it('tells of a commit, a new branch, a removed one and packed refs that change nothing', async () => {
    const [path] = repository();
    const seen = await changes(await open(path));
    commitFiles(path, { 'towline.toml': 'a = 2\n' });
    expect(await seen(1)).toEqual([{ type: 'changed' }]);
    runGit(path, 'branch', 'feature/new');
    expect(await seen(2)).toHaveLength(2);
    runGit(path, 'pack-refs', '--all');
    runGit(path, 'branch', '-D', 'feature/new');
    const all = await seen(3);
    expect(all).toHaveLength(3);
    expect(all.every((change) => change.type === 'changed')).toBe(true);
  });

  it('is silent about edits that are not committed', async () => {
    const [path] = repository();
    const seen = await changes(await open(path));
    writeFiles(path, { 'towline.toml': 'a = 3\n' });
    runGit(path, 'add', '-A');
    expect(await seen(0)).toEqual([]);
  });
});

describe.skipIf(!hasGitBackend)('a remote as a source', () => {
  it('has news when it is asked, and keeps what it had when the remote does not answer', async () => {
    const [path] = repository();
    const server = await serveGit(join(path, '..'));
    const source = await open(`${server.url}/policy`);
    expect(value(await source.refresh())).toBe(true);
    expect(value(await source.refresh())).toBe(false);
    const second = commitFiles(path, { 'towline.toml': 'a = 2\n' });
    expect(value(await source.refresh())).toBe(true);
    expect(value(await source.branches())).toMatchObject([{ name: 'main', commit: second }]);
    await server.close();
    expect(await source.refresh()).toMatchObject({ ok: false, problem: { code: 'source.fetch-failed' } });
    expect(value(await source.snapshot('main')).revision.id).toBe(second);
  });

  it('is not asked by listening to it', async () => {
    const [path] = repository();
    const server = await serveGit(join(path, '..'));
    closing.push(() => server.close());
    const source = await open(`${server.url}/policy`);
    const seen = await changes(source);
    expect(await seen(0)).toEqual([]);
    expect(server.requests).toEqual([]);
    expect(await source.snapshot('main')).toMatchObject({ ok: false });
  });
});

describe('a working tree as a source', () => {
  it('gives the tree with what is not committed, for any branch name', async () => {
    const [path] = repository();
    writeFiles(path, { 'new.txt': 'new' });
    const source = await open(path, { mode: 'worktree' });
    const snapshot = value(await source.snapshot('anything'));
    expect([...snapshot.entries.keys()]).toEqual(['new.txt', 'towline.toml']);
    expect(value(await source.branches())).toEqual([{ name: 'main', commit: snapshot.revision.id }]);
    expect(await source.snapshotAt('0'.repeat(40))).toMatchObject({ ok: false });
    expect(value(await source.refresh())).toBe(false);
    writeFiles(path, { 'new.txt': 'newer' });
    expect((await value(await source.snapshot('main')).read('new.txt')).toString()).toBe('newer');
  });

  it('works outside of git and through a link', async () => {
    const root = fresh();
    writeFiles(root, { 'policy/a': '1' });
    symlinkSync('policy', join(root, 'link'));
    const source = await open(join(root, 'link'), { mode: 'worktree' });
    expect(value(await source.branches())[0]?.name).toBe('worktree');
    const seen = await changes(source);
    writeFiles(root, { 'policy/a': '2' });
    expect(await seen(1)).toEqual([{ type: 'changed' }]);
    expect((await value(await source.snapshot('')).read('a')).toString()).toBe('2');
  });

  it('tells of each save once, with the new tree at hand', async () => {
    const [path] = repository({ 'roles/a/role.ts': '0' });
    const file = join(path, 'roles/a/role.ts');
    const source = await open(path, { mode: 'worktree' });
    const seen = await changes(source);
    for (let save = 1; save <= 3; save += 1) {
      writeFileSync(`${file}.part`, `save ${save}`);
      renameSync(`${file}.part`, file);
      expect(await seen(save)).toHaveLength(save);
      const snapshot = value(await source.snapshot('main'));
      expect((await snapshot.read('roles/a/role.ts')).toString()).toBe(`save ${save}`);
    }
    writeFileSync(file, 'save 3');
    expect(await seen(3)).toHaveLength(3);
  });

  it('gives one settled change for a checkout of 1000 files', async () => {
    const numbered = (text: string): Record<string, string> =>
      Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`d${index % 100}/f${index}`, text]));
    const [path] = repository(numbered('one'));
    runGit(path, 'checkout', '-q', '-b', 'two');
    commitFiles(path, numbered('two'));
    const source = await open(path, { mode: 'worktree' });
    const seen = await changes(source);
    runGit(path, 'checkout', '-q', 'main');
    await seen(1);
    expect(await seen(1)).toEqual([{ type: 'changed' }]);
    const snapshot = value(await source.snapshot('main'));
    const texts = await Promise.all(
      [...snapshot.entries.keys()].map(async (name) => `${await snapshot.read(name)}`),
    );
    expect(new Set(texts)).toEqual(new Set(['one']));
    expect(snapshot.revision.branch).toBe('main');
  });

  it('notices another branch although no file differs', async () => {
    const [path] = repository();
    const source = await open(path, { mode: 'worktree' });
    await changes(source);
    runGit(path, 'checkout', '-q', '-b', 'other');
    expect(value(await source.snapshot('')).revision.branch).toBe('other');
  });

  it('tells that it waits for git, and goes on by itself', async () => {
    const [path] = repository({ a: '0' });
    const source = await open(path, { mode: 'worktree' });
    const seen = await changes(source);
    writeFileSync(join(path, '.git/MERGE_HEAD'), '');
    writeFileSync(join(path, 'a'), 'half merged');
    expect(await seen(0)).toEqual([]);
    writeFileSync(join(path, 'a'), 'merged');
    renameSync(join(path, '.git/MERGE_HEAD'), join(path, '.git/ORIG_HEAD'));
    expect(await seen(1)).toEqual([{ type: 'changed' }]);
    expect((await value(await source.snapshot('')).read('a')).toString()).toBe('merged');
  });
});
