/**
 * What a policy may weigh, for every kind of source.
 * Invariant: a tree beyond these is refused whole, never cut.
 * Pure.
 */

import type { Problem } from '../../agent/protocol/problem.ts';
import { sourceProblem } from '../base/problem-codes/source.ts';

export interface TreeLimits {
  readonly files: number;
  /** What is held in memory or fetched at once. */
  readonly bytes: number;
  /** Of one file that is read piece by piece; `bytes` unless set. */
  readonly largest?: number | undefined;
}

export const treeLimits: TreeLimits = {
  files: 50_000,
  bytes: 256 * 1024 * 1024,
  largest: 16 * 1024 * 1024 * 1024,
};

/** Larger files are never held whole: they are hashed and sent piece by piece. */
export const heldFileBytes = 4 * 1024 * 1024;

/** The most bytes one file may have. */
export function largestFile(limits: TreeLimits): number {
  return limits.largest ?? limits.bytes;
}

/** The problem of a tree with too many files. */
export function tooManyFiles(where: string, limits: TreeLimits): Problem {
  return sourceProblem('source.too-large', `${where} has more than ${limits.files} files`);
}

/** The problem of content that is too large. */
export function tooManyBytes(where: string, limits: TreeLimits): Problem {
  return sourceProblem(
    'source.too-large',
    `${where} is larger than ${Math.floor(limits.bytes / 1048576)} MiB`,
  );
}
