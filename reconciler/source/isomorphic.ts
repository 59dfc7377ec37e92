/**
 * The in-process GitStore: isomorphic-git over a local repository or over Towline's mirror of a remote.
 * Invariant: both kinds read objects in one way; they differ only in where branches come from.
 * Never asks the network for an object; only a mirror's `fetch` does.
 */

import fs from 'node:fs';
import { tmpdir } from 'node:os';
import git from 'isomorphic-git';
import { failure, type Result } from '../../agent/protocol/problem.ts';
import { sourceProblem } from '../base/problem-codes/source.ts';
import { type ByteCache, createByteCache } from './byte-cache.ts';
import { createGitObjects, type GitObjects } from './git-objects.ts';
import { attempt, isMissing } from './git-problem.ts';
import { readGitSnapshot } from './git-snapshot.ts';
import type { Branch, CommitInfo, GitStore, SourceSnapshot } from './git-store.ts';
import { LargeBlobs } from './large-blobs.ts';
import { type TreeLimits, treeLimits } from './limits.ts';
import { createSystemGit } from './system-git.ts';

const contentBytes = 64 * 1024 * 1024;
const commitId = /^[0-9a-f]{40}$/;

/** Where branches come from and how they are brought up to date. */
export interface BranchKeeper {
  fetch(): Promise<Result<boolean>>;
  branches(): Promise<Result<readonly Branch[]>>;
  close(): Promise<void>;
}

export interface GitStoreOptions {
  readonly limits?: TreeLimits | undefined;
  /** Where contents too large for memory take their room; the system's temporary folder unless set. */
  readonly scratch?: string | undefined;
}

interface Reader {
  readonly objects: GitObjects;
  readonly contents: ByteCache;
  readonly large: LargeBlobs;
  readonly limits: TreeLimits;
}

/** A GitStore over a git directory whose branches `keeper` knows. */
export function createGitStore(
  gitDirectory: string,
  keeper: BranchKeeper,
  { limits = treeLimits, scratch = tmpdir() }: GitStoreOptions = {},
): GitStore {
  const objects = createGitObjects(gitDirectory);
  const system = createSystemGit(gitDirectory);
  const large = new LargeBlobs({ gitDirectory, scratch, git: system, readBlob: objects.readBlob });
  const reader = { objects, contents: createByteCache(contentBytes), large, limits };
  return {
    fetch: async () => {
      reader.objects.rest();
      return keeper.fetch();
    },
    branches: keeper.branches,
    commit: (id) => checked(id, () => readCommit(reader, id)),
    snapshot: async (id, branch) => {
      const full = await expanded(gitDirectory, id);
      return checked(full, () => snapshot(reader, full, branch));
    },
    isAncestor: (ancestor, commit) =>
      checked(commit, async () => ancestor === commit || (await reader.objects.isAncestor(ancestor, commit))),
    close: async () => {
      objects.rest();
      system.rest();
      await large.close();
      await keeper.close();
    },
  };
}

/** The branches of a repository that somebody else writes to. */
export function localBranches(gitDirectory: string): BranchKeeper {
  return {
    fetch: async () => ({ ok: true, value: false }),
    branches: () => attempt(`reading the branches of ${gitDirectory}`, () => listBranches(gitDirectory)),
    close: async () => undefined,
  };
}

async function listBranches(gitDirectory: string): Promise<readonly Branch[]> {
  const names = await git.listBranches({ fs, gitdir: gitDirectory });
  const found = await Promise.all([...new Set(names)].map((name) => resolveBranch(gitDirectory, name)));
  return found.filter((branch) => branch !== undefined).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** A branch may go, or move into packed-refs, between listing and reading; the second look decides. */
async function resolveBranch(gitDirectory: string, name: string): Promise<Branch | undefined> {
  const ref = `refs/heads/${name}`;
  for (let look = 0; look < 2; look += 1) {
    try {
      return { name, commit: await git.resolveRef({ fs, gitdir: gitDirectory, ref }) };
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  return undefined;
}

/** A full commit id for an unambiguous beginning of one; anything else as it is. */
async function expanded(gitDirectory: string, id: string): Promise<string> {
  if (!/^[0-9a-f]{6,39}$/.test(id)) return id;
  return git.expandOid({ fs, gitdir: gitDirectory, oid: id }).catch(() => id);
}

function checked<T>(id: string, work: () => Promise<T>): Promise<Result<T>> {
  if (commitId.test(id)) return attempt(`commit ${id.slice(0, 12)}`, work);
  const message = `${JSON.stringify(id.slice(0, 80))} is neither a commit id nor the beginning of just one`;
  return Promise.resolve(failure(sourceProblem('source.no-such-commit', message)));
}

async function readCommit({ objects }: Reader, id: string): Promise<CommitInfo> {
  const { commit } = await objects.readCommit(id);
  return {
    id,
    subject: commit.message.split('\n', 1)[0] ?? '',
    author: commit.author.name,
    committedAt: new Date(commit.committer.timestamp * 1000).toISOString(),
    parents: commit.parent,
  };
}

async function snapshot(reader: Reader, id: string, branch: string | undefined): Promise<SourceSnapshot> {
  const { commit } = await reader.objects.readCommit(id);
  const revision = {
    id,
    subject: commit.message.split('\n', 1)[0] ?? '',
    author: commit.author.name,
    ...(branch !== undefined && { branch }),
  };
  return readGitSnapshot({ ...reader, revision, tree: commit.tree });
}
