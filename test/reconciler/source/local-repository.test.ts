/**
 * Repositories on this machine: every layout that can be read, and a clear word on those that cannot.
 */

import { chmodSync, mkdirSync, readdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ProblemError, type Result } from '../../../agent/protocol/problem.ts';
import type { GitStore } from '../../../reconciler/source/git-store.ts';
import { createGitStore, localBranches } from '../../../reconciler/source/isomorphic.ts';
import {
  checkedOutBranch,
  enclosingRepository,
  findRepository,
  gitActivity,
  openRepository,
} from '../../../reconciler/source/repository.ts';
import { changedPaths } from '../../../reconciler/source/snapshot.ts';
import { commitFiles, createRepository, runGit } from '../../helpers/git-repository.ts';
import { temporaryDirectories } from '../../helpers/temporary-directory.ts';

const fresh = temporaryDirectories();

function value<T>(result: Result<T>): T {
  if (!result.ok) throw new ProblemError(result.problem);
  return result.value;
}

function storeAt(path: string, limits?: { files: number; bytes: number }): GitStore {
  const { gitDirectory } = value(openRepository(path));
  return createGitStore(gitDirectory, localBranches(gitDirectory), { limits });
}

function code(result: Result<unknown>): string {
  return result.ok ? 'no problem' : result.problem.code;
}

describe('a local repository', () => {
  it('is read with a working tree, bare, packed and as a linked worktree', async () => {
    const root = fresh();
    const first = createRepository(join(root, 'work'), { 'roles/a/role.ts': 'a', 'b.txt': 'b' });
    runGit(join(root, 'work'), 'branch', 'feature/x');
    runGit(root, 'clone', '-q', '--bare', '--no-hardlinks', 'work', 'bare.git');
    runGit(join(root, 'work'), 'worktree', 'add', '-q', join(root, 'linked'), '-b', 'linked');
    runGit(join(root, 'work'), 'gc', '-q');
    for (const path of ['work', 'bare.git', 'linked']) {
      const store = storeAt(join(root, path));
      expect(value(await store.fetch())).toBe(false);
      const names = value(await store.branches()).map((branch) => branch.name);
      expect(names).toEqual(path === 'bare.git' ? ['feature/x', 'main'] : ['feature/x', 'linked', 'main']);
      const snapshot = value(await store.snapshot(first));
      expect((await snapshot.read('roles/a/role.ts')).toString()).toBe('a');
      await store.close();
    }
    expect(checkedOutBranch(value(openRepository(join(root, 'linked'))))).toBe('linked');
    expect(checkedOutBranch(value(openRepository(join(root, 'work'))))).toBe('main');
    runGit(join(root, 'work'), 'checkout', '-q', '--detach');
    expect(checkedOutBranch(value(openRepository(join(root, 'work'))))).toBeUndefined();
    expect(enclosingRepository(join(root, 'work/roles/a'))).toEqual(findRepository(join(root, 'work')));
    expect(enclosingRepository('/')).toBeUndefined();
  });

  it('gives the same tree for the same commit and tells what differs between two', async () => {
    const path = join(fresh(), 'work');
    const first = createRepository(path, { 'a/one': '1', 'a/two': '2', three: '3' });
    runGit(path, 'rm', '-q', 'a/two');
    const second = commitFiles(path, { 'a/one': 'changed', four: '4' });
    const store = storeAt(path);
    const [one, again, two] = [
      value(await store.snapshot(first)),
      value(await store.snapshot(first)),
      value(await store.snapshot(second)),
    ];
    expect([...again.entries]).toEqual([...one.entries]);
    expect(changedPaths(one, again)).toEqual([]);
    expect(changedPaths(one, two)).toEqual(['a/one', 'a/two', 'four']);
    await store.close();
  });

  it('reads the same bytes twice, whatever the reader does with them', async () => {
    const path = join(fresh(), 'work');
    const first = createRepository(path, { file: 'content' });
    const store = storeAt(path);
    const snapshot = value(await store.snapshot(first));
    (await snapshot.read('file')).fill(0);
    (await snapshot.read('file')).fill(0);
    expect((await snapshot.read('file')).toString()).toBe('content');
    await expect(snapshot.read('../file')).rejects.toMatchObject({
      problem: { code: 'source.no-such-file' },
    });
    await store.close();
  });

  it('goes on reading while its owner packs it', async () => {
    const path = join(fresh(), 'work');
    const first = createRepository(path, { one: '1', two: '2' });
    const store = storeAt(path);
    const snapshot = value(await store.snapshot(first));
    await snapshot.read('one');
    runGit(path, 'gc', '-q');
    expect((await snapshot.read('two')).toString()).toBe('2');
    await store.close();
  });

  it('marks executable files and lists links and submodules apart', async () => {
    const root = fresh();
    createRepository(join(root, 'module'), { inner: 'x' });
    const path = join(root, 'work');
    createRepository(path, { 'run.sh': '#!/bin/sh\n', plain: 'x' });
    symlinkSync('plain', join(path, 'link'));
    runGit(
      path,
      '-c',
      'protocol.file.allow=always',
      'submodule',
      'add',
      '-q',
      join(root, 'module'),
      'roles/ext',
    );
    runGit(path, 'update-index', '--add', '--chmod=+x', 'run.sh');
    runGit(path, 'add', 'link');
    runGit(path, 'commit', '-q', '-m', 'Mixed');
    const store = storeAt(path);
    const snapshot = value(await store.snapshot(runGit(path, 'rev-parse', 'HEAD')));
    expect(snapshot.skipped).toEqual([
      { path: 'link', kind: 'symbolic-link' },
      { path: 'roles/ext', kind: 'submodule' },
    ]);
    expect([...snapshot.entries.keys()]).toEqual(['.gitmodules', 'plain', 'run.sh']);
    expect(snapshot.entries.get('run.sh')?.executable).toBe(true);
    expect(snapshot.entries.get('plain')?.executable).toBe(false);
    await store.close();
  });

  it('names commits it does not have and ids that are none', async () => {
    const path = join(fresh(), 'work');
    createRepository(path, { file: 'x' });
    const store = storeAt(path);
    expect(code(await store.snapshot('0'.repeat(40)))).toBe('source.no-such-commit');
    expect(code(await store.commit('main'))).toBe('source.no-such-commit');
    expect(code(await store.snapshot('../../etc'))).toBe('source.no-such-commit');
    await store.close();
  });

  it('says so when objects are broken', async () => {
    const path = join(fresh(), 'work');
    const first = createRepository(path, { a: 'loose', b: 'b'.repeat(5000) });
    const blob = runGit(path, 'rev-parse', 'HEAD:a');
    const object = join(path, '.git/objects', blob.slice(0, 2), blob.slice(2));
    const store = storeAt(path);
    const snapshot = value(await store.snapshot(first));
    for (const broken of ['', 'not zlib at all', 'x']) {
      chmodSync(object, 0o644);
      writeFileSync(object, broken);
      await expect(snapshot.read('a')).rejects.toMatchObject({ problem: { code: 'source.damaged' } });
    }
    await store.close();
    const packed = join(fresh(), 'work');
    const commit = createRepository(packed, { a: 'packed' });
    runGit(packed, 'gc', '-q');
    const packs = join(packed, '.git/objects/pack');
    const pack = join(packs, readdirSync(packs).find((name) => name.endsWith('.pack')) ?? '');
    chmodSync(pack, 0o644);
    truncateSync(pack, 40);
    const other = storeAt(packed);
    expect((await other.snapshot(commit)).ok).toBe(false);
    await other.close();
  });

  it('refuses a tree with too many or too large files whole', async () => {
    const path = join(fresh(), 'work');
    const first = createRepository(path, { a: '1', b: '2', c: 'too long for the limit' });
    expect(code(await storeAt(path, { files: 2, bytes: 100 }).snapshot(first))).toBe('source.too-large');
    const snapshot = value(await storeAt(path, { files: 9, bytes: 10 }).snapshot(first));
    await expect(snapshot.read('c')).rejects.toMatchObject({ problem: { code: 'source.too-large' } });
  });

  it.each(['..', '.', '.git', 'a/b', '.GIT'])('refuses a tree with the name %s in it', async (name) => {
    const path = join(fresh(), 'work');
    createRepository(path, { file: 'x' });
    const blob = runGit(path, 'rev-parse', 'HEAD:file');
    const tree = Buffer.concat([Buffer.from(`100644 ${name}\0`), Buffer.from(blob, 'hex')]);
    writeFileSync(join(path, '.git/evil'), tree);
    const treeId = runGit(path, 'hash-object', '--literally', '-t', 'tree', '-w', join(path, '.git/evil'));
    const commit = runGit(path, 'commit-tree', treeId, '-m', 'evil');
    expect(code(await storeAt(path).snapshot(commit))).toBe('source.unsafe-name');
  });

  it('says what of its layout cannot be read', () => {
    const root = fresh();
    createRepository(join(root, 'work'), { file: 'x' });
    runGit(root, 'clone', '-q', '-s', 'work', 'shared');
    runGit(root, 'init', '-q', '--object-format=sha256', 'sha256');
    runGit(join(root, 'work'), 'config', 'uploadpack.allowFilter', 'true');
    runGit(root, 'clone', '-q', '--no-local', '--filter=blob:none', join(root, 'work'), 'partial');
    createRepository(join(root, 'tables'), { file: 'x' });
    runGit(join(root, 'tables'), 'config', 'extensions.refStorage', 'reftable');
    for (const name of ['shared', 'sha256', 'partial', 'tables']) {
      const opened = openRepository(join(root, name));
      expect([name, code(opened)]).toEqual([name, 'source.unsupported-repository']);
    }
    mkdirSync(join(root, 'empty'));
    writeFileSync(join(root, '.git'), 'gitdir: nowhere\n');
    expect(code(openRepository(join(root, 'empty')))).toBe('source.no-such-repository');
    expect(code(openRepository(root))).toBe('source.no-such-repository');
    expect(code(openRepository(join(root, 'missing')))).toBe('source.no-such-repository');
  });

  it('tells what git is in the middle of', () => {
    const path = join(fresh(), 'work');
    createRepository(path, { file: 'x' });
    const { headDirectory } = value(openRepository(path));
    expect(gitActivity(headDirectory)).toBeUndefined();
    writeFileSync(join(headDirectory, 'MERGE_HEAD'), '');
    expect(gitActivity(headDirectory)).toBe('a merge is in progress (.git/MERGE_HEAD)');
    writeFileSync(join(headDirectory, 'index.lock'), '');
    expect(gitActivity(headDirectory)).toBe('git is writing its index (.git/index.lock)');
  });
});
