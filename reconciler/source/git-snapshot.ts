/**
 * The tree of a commit as a snapshot: paths and blob ids at once, bytes when they are asked for.
 * Invariant: the same commit gives the same entries; bytes come from a blob's id, so they cannot change.
 * Never lets a tree's entry name leave the tree: isomorphic-git refuses `..`, `.git` and the like, and a test holds that.
 */

import type { TreeEntry } from 'isomorphic-git';
import { ProblemError } from '../../agent/protocol/problem.ts';
import { type ContentReader, heldContent } from '../base/content.ts';
import type { RevisionInfo } from '../base/event.ts';
import { sourceProblem } from '../base/problem-codes/source.ts';
import type { ByteCache } from './byte-cache.ts';
import type { GitObjects } from './git-objects.ts';
import { gitProblem } from './git-problem.ts';
import type { SkippedEntry, SourceSnapshot } from './git-store.ts';
import type { LargeBlobs } from './large-blobs.ts';
import { heldFileBytes, largestFile, type TreeLimits, tooManyBytes, tooManyFiles } from './limits.ts';
import type { SnapshotEntry } from './snapshot.ts';

export interface GitSnapshotOptions {
  readonly objects: GitObjects;
  readonly contents: ByteCache;
  readonly large: LargeBlobs;
  readonly limits: TreeLimits;
  readonly revision: RevisionInfo;
  /** Id of the commit's tree. */
  readonly tree: string;
}

interface Walk {
  readonly options: GitSnapshotOptions;
  readonly files: SnapshotEntry[];
  readonly skipped: SkippedEntry[];
  /** Entries met, folders too: bounds a tree that names the same folder over and over. */
  met: number;
}

/** Reads a commit's tree. Throws what reading objects throws, and ProblemError. */
export async function readGitSnapshot(options: GitSnapshotOptions): Promise<SourceSnapshot> {
  const walk: Walk = { options, files: [], skipped: [], met: 0 };
  await walkTree(walk, options.tree, '');
  walk.files.sort((a, b) => (a.path < b.path ? -1 : 1));
  const entries = new Map(walk.files.map((entry) => [entry.path, entry]));
  return {
    revision: options.revision,
    entries,
    skipped: walk.skipped,
    read: async (path) => readFile(options, entryAt(options, entries, path)),
    open: async (path) => openFile(options, entryAt(options, entries, path)),
  };
}

async function walkTree(walk: Walk, tree: string, prefix: string): Promise<void> {
  const { objects, limits, revision } = walk.options;
  for (const entry of await objects.readTree(tree)) {
    walk.met += 1;
    if (walk.met > limits.files) throw new ProblemError(tooManyFiles(`commit ${revision.id}`, limits));
    const path = prefix + entry.path;
    if (entry.type === 'tree') await walkTree(walk, entry.oid, `${path}/`);
    else addEntry(walk, entry, path);
  }
}

function addEntry(walk: Walk, entry: TreeEntry, path: string): void {
  if (entry.type === 'commit') walk.skipped.push({ path, kind: 'submodule' });
  else if (entry.mode === '120000') walk.skipped.push({ path, kind: 'symbolic-link' });
  else walk.files.push({ path, id: entry.oid, executable: entry.mode === '100755' });
}

function entryAt(
  options: GitSnapshotOptions,
  entries: ReadonlyMap<string, SnapshotEntry>,
  path: string,
): SnapshotEntry {
  const entry = entries.get(path);
  if (entry !== undefined) return entry;
  const message = `there is no file ${placeOf(path, options)}`;
  throw new ProblemError(sourceProblem('source.no-such-file', message, { where: { file: path } }));
}

function placeOf(path: string, { revision }: GitSnapshotOptions): string {
  return `${path} at ${revision.id.slice(0, 12)}`;
}

async function readFile(options: GitSnapshotOptions, { id, path }: SnapshotEntry): Promise<Buffer> {
  const { objects, contents, limits } = options;
  const held = contents.get(id);
  if (held !== undefined) return held;
  const where = placeOf(path, options);
  const content = await objects.readBlob(id).catch((error: unknown) => {
    throw new ProblemError(gitProblem(error, `reading ${where}`));
  });
  if (content.length > limits.bytes) throw new ProblemError(tooManyBytes(where, limits));
  contents.put(id, content);
  return content;
}

/** Small files are held while they are read, large ones lie in a file. */
async function openFile(options: GitSnapshotOptions, entry: SnapshotEntry): Promise<ContentReader> {
  const { large, limits, contents } = options;
  const held = contents.get(entry.id);
  if (held !== undefined) return heldContent(held);
  const size = await large.sizeOf(entry.id);
  if (size !== undefined && size > largestFile(limits))
    throw new ProblemError(tooManyBytes(placeOf(entry.path, options), limits));
  if (size === undefined || size <= heldFileBytes) return heldContent(await readFile(options, entry));
  return large.open(entry.id, size).catch((error: unknown) => {
    throw new ProblemError(gitProblem(error, `reading ${placeOf(entry.path, options)}`));
  });
}
