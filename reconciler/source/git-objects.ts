/**
 * Reads commits, trees and blobs of one git directory with isomorphic-git.
 * Invariant: one cache object serves a burst of reads and is dropped after it, as it only ever grows.
 * Never looks an object up by path: trees are walked once and blobs read by id.
 */

import fs from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import git, { type ReadCommitResult, type TreeEntry } from 'isomorphic-git';
import { isMissing } from './git-problem.ts';

export interface GitObjects {
  readCommit(id: string): Promise<ReadCommitResult>;
  readTree(id: string): Promise<readonly TreeEntry[]>;
  readBlob(id: string): Promise<Buffer>;
  isAncestor(ancestor: string, commit: string): Promise<boolean>;
  /** Drops what is cached. */
  rest(): void;
}

/** A burst ends when nothing was read for this long. */
const burstMilliseconds = 2000;
/** A cache serves at most this many reads. */
const burstReads = 20_000;
/** Trees kept between bursts: the unchanged part of the next commit's tree then costs nothing. */
const heldTrees = 20_000;

/** A reader of `gitDirectory`. */
export function createGitObjects(gitDirectory: string): GitObjects {
  const trees = new Map<string, readonly TreeEntry[]>();
  const burst = createBurst();
  const common = { fs, gitdir: gitDirectory };
  const read = <T>(work: (cache: object) => Promise<T>): Promise<T> => retryOnce(burst, work);
  return {
    readCommit: (id) => read((cache) => git.readCommit({ ...common, oid: id, cache })),
    readTree: async (id) => {
      const held = trees.get(id);
      if (held !== undefined) return held;
      const { tree } = await read((cache) => git.readTree({ ...common, oid: id, cache }));
      if (trees.size >= heldTrees) trees.clear();
      trees.set(id, tree);
      return tree;
    },
    readBlob: (id) =>
      read(async (cache) => Buffer.from((await git.readBlob({ ...common, oid: id, cache })).blob)),
    isAncestor: (ancestor, commit) =>
      read((cache) => git.isDescendent({ ...common, oid: commit, ancestor, depth: -1, cache })),
    rest: burst.drop,
  };
}

/** The owner of a local repository may repack while we read: the object is then in a pack we had not seen. */
async function retryOnce<T>(burst: Burst, work: (cache: object) => Promise<T>): Promise<T> {
  try {
    return await work(burst.use());
  } catch (error) {
    if (!isMissing(error)) throw error;
    burst.drop();
    await delay(5);
    return await work(burst.use());
  }
}

interface Burst {
  use(): object;
  drop(): void;
}

function createBurst(): Burst {
  let cache: object | undefined;
  let reads = 0;
  let timer: NodeJS.Timeout | undefined;
  const drop = (): void => {
    clearTimeout(timer);
    cache = undefined;
    reads = 0;
  };
  const use = (): object => {
    reads += 1;
    if (reads > burstReads) drop();
    cache ??= {};
    if (timer === undefined || reads <= 1) timer = setTimeout(drop, burstMilliseconds).unref();
    else timer.refresh();
    return cache;
  };
  return { use, drop };
}
