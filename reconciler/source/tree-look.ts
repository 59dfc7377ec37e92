/**
 * One look at a working tree, or at some of its paths: which files are there, and their stamps.
 * Invariant: links are not followed and never leave the tree; paths are relative, with forward slashes.
 * Never reads content.
 */

import { type BigIntStats, type Dirent, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ProblemError } from '../../agent/protocol/problem.ts';
import { sourceProblem } from '../base/problem-codes/source.ts';
import type { SkippedEntry } from './git-store.ts';
import { isIgnoredName, isIgnoredPath } from './ignored-paths.ts';
import { largestFile, type TreeLimits, tooManyBytes, tooManyFiles } from './limits.ts';

/** What tells one state of a file from another without reading it. */
export interface Stamp {
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly ino: bigint;
  readonly executable: boolean;
}

/** What was found; the looked-at paths that are not in `files` do not exist (any more). */
export interface Look {
  readonly files: Map<string, Stamp>;
  readonly skipped: SkippedEntry[];
}

/** Whether two stamps are of the same state of a file. */
export function sameStamp(a: Stamp | undefined, b: Stamp | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    a.size === b.size &&
    a.mtimeNs === b.mtimeNs &&
    a.ctimeNs === b.ctimeNs &&
    a.ino === b.ino &&
    a.executable === b.executable
  );
}

/** Looks at these paths (folders whole); `''` is the whole tree. Throws ProblemError when there is too much or it is closed to us. */
export function lookAt(root: string, paths: Iterable<string>, limits: TreeLimits): Look {
  const look: Look = { files: new Map(), skipped: [] };
  for (const path of paths) {
    if (!isIgnoredPath(path)) lookAtPath(root, path, look, limits);
  }
  return look;
}

/** The stamp of a file, or undefined when there is no regular file at the path. */
export function stampOf(root: string, path: string): Stamp | undefined {
  const stats = stat(root, path);
  return stats?.isFile() === true ? toStamp(stats) : undefined;
}

function lookAtPath(root: string, path: string, look: Look, limits: TreeLimits): void {
  const stats = stat(root, path);
  if (stats === undefined) return refuseMissingRoot(root, path);
  if (stats.isDirectory()) lookInFolder(root, path, look, limits);
  else if (stats.isFile()) addFile(look, path, stats, limits);
  else look.skipped.push({ path, kind: stats.isSymbolicLink() ? 'symbolic-link' : 'other' });
}

/** A root that is gone (unmounted, perhaps) must not pass for an empty policy. */
function refuseMissingRoot(root: string, path: string): void {
  if (path !== '') return;
  throw new ProblemError(sourceProblem('source.unreadable', `the working tree ${root} is gone`));
}

function lookInFolder(root: string, path: string, look: Look, limits: TreeLimits): void {
  for (const entry of list(root, path)) {
    if (isIgnoredName(entry.name)) continue;
    const inner = path === '' ? entry.name : `${path}/${entry.name}`;
    lookAtPath(root, inner, look, limits);
    if (look.files.size > limits.files) throw new ProblemError(tooManyFiles(root, limits));
  }
}

function addFile(look: Look, path: string, stats: BigIntStats, limits: TreeLimits): void {
  if (stats.size > largestFile(limits)) throw new ProblemError(tooManyBytes(path, limits));
  look.files.set(path, toStamp(stats));
}

/** The stamp of what a look at the file system gave. */
export function toStamp(stats: BigIntStats): Stamp {
  const { size, mtimeNs, ctimeNs, ino, mode } = stats;
  return { size, mtimeNs, ctimeNs, ino, executable: (mode & 0o100n) !== 0n };
}

function stat(root: string, path: string): BigIntStats | undefined {
  return unlessGone(path, () => lstatSync(join(root, path), { bigint: true }));
}

function list(root: string, path: string): Dirent[] {
  return unlessGone(path, () => readdirSync(join(root, path), { withFileTypes: true })) ?? [];
}

/** The value of a call on the file system; undefined when what it asks for is gone. Throws ProblemError. */
export function unlessGone<T>(path: string, work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    const message = error instanceof Error ? error.message : String(error);
    throw new ProblemError(sourceProblem('source.unreadable', message, { where: { file: path } }));
  }
}
