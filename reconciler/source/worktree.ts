/**
 * Snapshots of a settled working tree, held in memory and brought up to date by reading only what changed.
 * Invariant: a file enters a snapshot only when two looks around its reading agree, and while git is at rest.
 * Never writes to the tree, and never trusts a time stamp that is too fresh to tell two writes apart.
 */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { failure, type Problem, ProblemError, type Result, success } from '../../agent/protocol/problem.ts';
import { type Clock, stopwatch } from '../base/clock.ts';
import { type ContentReader, heldContent, readWhole } from '../base/content.ts';
import { sourceProblem } from '../base/problem-codes/source.ts';
import type { SkippedEntry, SourceSnapshot } from './git-store.ts';
import { hashFile, openLargeFile } from './large-file.ts';
import { heldFileBytes, type TreeLimits, tooManyBytes, tooManyFiles, treeLimits } from './limits.ts';
import { checkedOutBranch, enclosingRepository, gitActivity, type Repository } from './repository.ts';
import type { SnapshotEntry } from './snapshot.ts';
import { type Look, lookAt, type Stamp, sameStamp, stampOf, unlessGone } from './tree-look.ts';

export interface WorktreeOptions {
  readonly clock: Clock;
  readonly limits?: TreeLimits | undefined;
  /** Longest wait for the tree to settle or git to finish; 5 s unless set. */
  readonly settleMilliseconds?: number | undefined;
  /** Told of a tree that was read and has yet to settle. */
  readonly onForming?: ((snapshot: SourceSnapshot) => void) | undefined;
  /** Waits between two looks; a timer unless set. */
  readonly pause?: ((milliseconds: number) => Promise<unknown>) | undefined;
}

export interface Worktree {
  /** The tree now. `dirty` names what may have changed (files or folders); without it everything is looked at. */
  snapshot(dirty?: Iterable<string>): Promise<Result<SourceSnapshot>>;
}

interface HeldFile {
  readonly stamp: Stamp;
  /** Undefined of a file too large to be held. */
  readonly content: Buffer | undefined;
  readonly entry: SnapshotEntry;
  /** Read so soon after its change that another write could have had the same stamp. */
  readonly fresh: boolean;
}

interface Tree {
  readonly root: string;
  readonly options: WorktreeOptions;
  readonly limits: TreeLimits;
  /** By path, sorted. */
  files: ReadonlyMap<string, HeldFile>;
  skipped: readonly SkippedEntry[];
}

/** Between two looks at a file that was just written. */
const pauseMilliseconds = 2;
/** An empty file is most often one that is about to be written. */
const emptyPauseMilliseconds = 40;
/** Time stamps of the kernel are up to a tick (10 ms at the slowest) behind. */
const freshNanoseconds = 20_000_000n;
const defaultSettleMilliseconds = 5000;

/** A working tree at `root`. */
export function openWorktree(root: string, options: WorktreeOptions): Worktree {
  const tree: Tree = { root, options, limits: options.limits ?? treeLimits, files: new Map(), skipped: [] };
  let last: Promise<unknown> = Promise.resolve();
  return {
    snapshot: (dirty) => {
      const paths = dirty === undefined ? [''] : [...dirty];
      const next = last.then(() => settle(tree, paths));
      last = next.catch(() => undefined);
      return next;
    },
  };
}

async function settle(tree: Tree, paths: readonly string[]): Promise<Result<SourceSnapshot>> {
  const { settleMilliseconds = defaultSettleMilliseconds, pause = delay } = tree.options;
  const elapsed = stopwatch();
  try {
    for (;;) {
      const taken = await takeLook(tree, paths, pause);
      if (taken.ok || elapsed() >= settleMilliseconds) return taken;
      await pause(pauseMilliseconds * 4);
    }
  } catch (error) {
    if (error instanceof ProblemError) return failure(error.problem);
    throw error;
  }
}

/** One try: takes what it saw into the tree and gives a snapshot of it, or what stands in the way. */
async function takeLook(
  tree: Tree,
  paths: readonly string[],
  pause: (milliseconds: number) => Promise<unknown>,
): Promise<Result<SourceSnapshot>> {
  const repository = enclosingRepository(tree.root);
  const busy = busyProblem(tree.root, repository);
  if (busy !== undefined) return failure(busy);
  const look = lookAt(tree.root, paths, tree.limits);
  const whole = paths.includes('');
  const suspects = [...look.files].filter(([path, stamp]) => {
    const held = tree.files.get(path);
    // A large file is hashed anew only when its stamp says that it is another.
    const isNamed = !whole && held?.content !== undefined;
    return isNamed || held === undefined || held.fresh || !sameStamp(held.stamp, stamp);
  });
  const read = await readSuspects(tree, suspects);
  if (!(read instanceof Map)) return failure(read);
  const next = withSeen(tree, { look, read, paths });
  const snapshot = buildSnapshot(next);
  const changed = [...read].filter(([path, file]) => tree.files.get(path)?.entry.id !== file.entry.id);
  if (changed.length > 0) {
    tree.options.onForming?.(snapshot);
    const empty = changed.some(([, file]) => file.content?.length === 0);
    await pause(empty ? emptyPauseMilliseconds : pauseMilliseconds);
    for (const [path, file] of changed)
      if (!(await stillSame(tree.root, path, file))) return failure(unsettled(path));
    const started = busyProblem(tree.root, repository);
    if (started !== undefined) return failure(started);
  }
  tree.files = next.files;
  tree.skipped = next.skipped;
  return success(snapshot);
}

function busyProblem(root: string, repository: Repository | undefined): Problem | undefined {
  const activity = repository && gitActivity(repository.headDirectory);
  return activity === undefined
    ? undefined
    : sourceProblem('source.repository-busy', `${root} is not read now: ${activity}`);
}

/** Contents of the files, or the problem of one that changed while it was read. */
async function readSuspects(
  tree: Tree,
  suspects: readonly [string, Stamp][],
): Promise<Map<string, HeldFile> | Problem> {
  const read = new Map<string, HeldFile>();
  const now = BigInt(tree.options.clock.now()) * 1_000_000n;
  let bytes = 0;
  for (const [path, stamp] of suspects) {
    const fresh = now - stamp.ctimeNs < freshNanoseconds;
    const taken = await takeFile(tree.root, path, stamp);
    if (taken === undefined || !sameStamp(stampOf(tree.root, path), stamp)) return unsettled(path);
    bytes += taken.content?.length ?? 0;
    if (bytes > tree.limits.bytes) throw new ProblemError(tooManyBytes(tree.root, tree.limits));
    read.set(path, { ...taken, stamp, fresh });
  }
  return read;
}

/** A file as a snapshot has it: its bytes, or their hashes when they are too many; undefined when it is gone or grows. */
async function takeFile(
  root: string,
  path: string,
  { size, executable }: Stamp,
): Promise<Pick<HeldFile, 'content' | 'entry'> | undefined> {
  if (size > heldFileBytes) {
    const hashed = await hashFile(join(root, path), Number(size));
    if (hashed === undefined) return undefined;
    const { id, ...content } = hashed;
    return { content: undefined, entry: { path, id, executable, content } };
  }
  const content = unlessGone(path, () => readFileSync(join(root, path)));
  return content && { content, entry: { path, id: gitId(content), executable } };
}

/** The id that git gives these bytes, so that a saved file and its commit are told to be the same. */
function gitId(content: Buffer): string {
  return createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
}

async function stillSame(root: string, path: string, file: HeldFile): Promise<boolean> {
  if (!sameStamp(stampOf(root, path), file.stamp)) return false;
  if (!file.fresh) return true;
  return (await takeFile(root, path, file.stamp))?.entry.id === file.entry.id;
}

function unsettled(path: string): Problem {
  return sourceProblem('source.unsettled', `${path} changed while it was read`, { where: { file: path } });
}

interface Seen {
  readonly look: Look;
  readonly read: ReadonlyMap<string, HeldFile>;
  readonly paths: readonly string[];
}

/** The tree with what a look saw: what was looked at and not found is gone. */
function withSeen(tree: Tree, { look, read, paths }: Seen): Tree {
  const files = new Map(tree.files);
  const covered = (path: string): boolean =>
    paths.some((dirty) => dirty === '' || path === dirty || path.startsWith(`${dirty}/`));
  for (const path of files.keys()) if (covered(path) && !look.files.has(path)) files.delete(path);
  const isNew = [...read.keys()].some((path) => !files.has(path));
  for (const [path, file] of read) files.set(path, file);
  if (files.size > tree.limits.files) throw new ProblemError(tooManyFiles(tree.root, tree.limits));
  let bytes = 0;
  for (const file of files.values()) bytes += file.content?.length ?? 0;
  if (bytes > tree.limits.bytes) throw new ProblemError(tooManyBytes(tree.root, tree.limits));
  const skipped = [...tree.skipped.filter((entry) => !covered(entry.path)), ...look.skipped];
  return { ...tree, files: isNew ? sorted(files) : files, skipped };
}

function sorted(files: ReadonlyMap<string, HeldFile>): ReadonlyMap<string, HeldFile> {
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function buildSnapshot(tree: Tree): SourceSnapshot {
  const files = tree.files;
  const hash = createHash('sha256');
  const entries = new Map<string, SnapshotEntry>();
  for (const [path, { entry }] of files) {
    entries.set(path, entry);
    hash.update(`${path}\0${entry.id}${entry.executable ? 'x' : '-'}\n`);
  }
  const repository = enclosingRepository(tree.root);
  const branch = repository && checkedOutBranch(repository);
  const id = `worktree:${hash.digest('hex')}`;
  return {
    revision: { id, subject: '', author: '', ...(branch !== undefined && { branch }) },
    entries,
    skipped: tree.skipped,
    read: async (path) => readWhole(await openFile(tree.root, files, path)),
    open: (path) => openFile(tree.root, files, path),
  };
}

async function openFile(
  root: string,
  files: ReadonlyMap<string, HeldFile>,
  path: string,
): Promise<ContentReader> {
  const file = files.get(path);
  if (file?.content !== undefined) return heldContent(Buffer.from(file.content));
  if (file !== undefined) return openLargeFile(root, path, file.stamp);
  const message = `there is no file ${path} in the working tree`;
  throw new ProblemError(sourceProblem('source.no-such-file', message, { where: { file: path } }));
}
