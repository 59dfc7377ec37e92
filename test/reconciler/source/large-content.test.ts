/**
 * Files too large to be held: of a working tree they are read in place, of a commit from a file without a name.
 */

import { createHash, randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../reconciler/base/clock.ts';
import type { ContentReader } from '../../../reconciler/base/content.ts';
import { ContentIndex } from '../../../reconciler/policy/content-index.ts';
import type { GitStore, SourceSnapshot } from '../../../reconciler/source/git-store.ts';
import { createGitStore, localBranches } from '../../../reconciler/source/isomorphic.ts';
import { heldFileBytes } from '../../../reconciler/source/limits.ts';
import { openWorktree } from '../../../reconciler/source/worktree.ts';
import { createRepository, runGit } from '../../helpers/git-repository.ts';
import { temporaryDirectories } from '../../helpers/temporary-directory.ts';

const temporaryDirectory = temporaryDirectories();
const large = randomBytes(heldFileBytes + 12_345);
const sha256 = createHash('sha256').update(large).digest('hex');

function repository(): string {
  const root = join(temporaryDirectory(), 'policy');
  createRepository(root, { 'small.txt': 'small\n' });
  writeFileSync(join(root, 'large.bin'), large);
  return root;
}

async function wholeOf(reader: ContentReader): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let at = 0; at < reader.size; at += 262_144) parts.push(await reader.read(at, 262_144));
  return Buffer.concat(parts);
}

async function worktreeOf(root: string): Promise<SourceSnapshot> {
  const taken = await openWorktree(root, { clock: systemClock }).snapshot();
  if (!taken.ok) throw new Error(taken.problem.message);
  return taken.value;
}

/** Files of this process that have no name any more, below a folder. */
function namelessFiles(folder: string): readonly string[] {
  const paths = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return '';
    }
  });
  return paths.filter((path) => path.startsWith(folder) && path.endsWith(' (deleted)'));
}

describe('a large file of a working tree', () => {
  it('is hashed in one pass and read in place', async () => {
    const root = repository();
    const snapshot = await worktreeOf(root);
    const entry = snapshot.entries.get('large.bin');
    expect(entry?.content).toEqual({ sha256, size: large.length });
    expect(entry?.id).toBe(runGit(root, 'hash-object', 'large.bin'));
    const reader = await snapshot.open('large.bin');
    expect((await wholeOf(reader)).equals(large)).toBe(true);
    await reader.close();
    await reader.close();
    expect((await snapshot.read('large.bin')).equals(large)).toBe(true);
    const file = await new ContentIndex().file(snapshot, 'large.bin', 'content');
    expect(file).toMatchObject({ sha256, size: large.length });
  });

  it('is no longer read once it has changed', async () => {
    const root = repository();
    const snapshot = await worktreeOf(root);
    const reader = await snapshot.open('large.bin');
    await reader.read(0, 10);
    appendFileSync(join(root, 'large.bin'), 'x');
    const changed = { problem: { code: 'source.file-changed', where: { file: 'large.bin' } } };
    await expect(reader.read(10, 10)).rejects.toMatchObject(changed);
    await reader.close();
    await expect(snapshot.open('large.bin')).rejects.toMatchObject(changed);
    rmSync(join(root, 'large.bin'));
    await expect(snapshot.open('large.bin')).rejects.toMatchObject(changed);
  });

  it('is taken anew by the next snapshot', async () => {
    const root = repository();
    const tree = openWorktree(root, { clock: systemClock });
    const before = await tree.snapshot();
    appendFileSync(join(root, 'large.bin'), 'x');
    const after = await tree.snapshot(['large.bin']);
    if (!before.ok || !after.ok) throw new Error('no snapshot');
    expect(after.value.revision.id).not.toBe(before.value.revision.id);
    expect(after.value.entries.get('large.bin')?.content?.size).toBe(large.length + 1);
  });
});

describe('a large blob of a commit', () => {
  function committed(): { root: string; scratch: string; store: GitStore; commit: string } {
    const root = repository();
    runGit(root, 'add', '-A');
    runGit(root, 'commit', '-q', '-m', 'large');
    const gitDirectory = join(root, '.git');
    const scratch = join(root, '..', 'scratch');
    const store = createGitStore(gitDirectory, localBranches(gitDirectory), { scratch });
    return { root, scratch, store, commit: runGit(root, 'rev-parse', 'HEAD') };
  }

  async function snapshotOf(store: GitStore, commit: string): Promise<SourceSnapshot> {
    const taken = await store.snapshot(commit);
    if (!taken.ok) throw new Error(taken.problem.message);
    return taken.value;
  }

  it.each(['loose', 'packed'])(
    '%s, is put into one file without a name, for all its readers',
    async (form) => {
      const { root, scratch, store, commit } = committed();
      if (form === 'packed') runGit(root, 'gc', '-q');
      expect(
        existsSync(join(root, '.git/objects', runGit(root, 'rev-parse', 'HEAD:large.bin').slice(0, 2))),
      ).toBe(form === 'loose');
      const snapshot = await snapshotOf(store, commit);
      const file = await new ContentIndex().file(snapshot, 'large.bin', 'content');
      expect(file).toMatchObject({ sha256, size: large.length });
      const readers = [await snapshot.open('large.bin'), await snapshot.open('large.bin')];
      for (const reader of readers) expect((await wholeOf(reader)).equals(large)).toBe(true);
      expect(namelessFiles(scratch)).toHaveLength(1);
      expect(readdirSync(scratch)).toEqual([]);
      for (const reader of readers) await reader.close();
      await store.close();
      expect(namelessFiles(scratch)).toEqual([]);
    },
  );

  it('leaves small ones in memory', async () => {
    const { store, commit, scratch } = committed();
    const snapshot = await snapshotOf(store, commit);
    const reader = await snapshot.open('small.txt');
    expect(String(await wholeOf(reader))).toBe('small\n');
    await reader.close();
    await expect(snapshot.open('none')).rejects.toMatchObject({ problem: { code: 'source.no-such-file' } });
    expect(existsSync(scratch)).toBe(false);
    await store.close();
  });

  it('says so when there is no room to put it', async () => {
    const { root, scratch, store, commit } = committed();
    writeFileSync(scratch, 'in the way');
    const snapshot = await snapshotOf(store, commit);
    await expect(snapshot.open('large.bin')).rejects.toMatchObject({ problem: { code: 'source.no-space' } });
    rmSync(scratch);
    const reader = await snapshot.open('large.bin');
    await reader.close();
    await store.close();
    expect(existsSync(join(root, '.git/index.lock'))).toBe(false);
  });

  it('is read through the in-process git where the system has none', async () => {
    const { root, store, commit } = committed();
    runGit(root, 'gc', '-q');
    const path = process.env.PATH;
    process.env.PATH = '/nowhere';
    try {
      const snapshot = await snapshotOf(store, commit);
      const reader = await snapshot.open('large.bin');
      expect((await wholeOf(reader)).equals(large)).toBe(true);
      await reader.close();
    } finally {
      process.env.PATH = path;
      await store.close();
    }
  });
});
