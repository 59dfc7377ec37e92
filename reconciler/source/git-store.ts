/**
 * What Towline needs of git, whatever does it: in-process today, the system's git or an ssh transport later.
 * Invariant: what is asked by commit id never changes; branches move only by `fetch` (remote) or by their owner (local).
 * Never writes to a repository that is not Towline's own mirror.
 */

import type { Result } from '../../agent/protocol/problem.ts';
import type { Snapshot } from './snapshot.ts';

export interface Branch {
  readonly name: string;
  /** Full commit id. */
  readonly commit: string;
}

export interface CommitInfo {
  readonly id: string;
  /** First line of the message. */
  readonly subject: string;
  readonly author: string;
  /** ISO 8601, UTC. */
  readonly committedAt: string;
  readonly parents: readonly string[];
}

/** What a tree has that is no file: a snapshot leaves it out and lists it here. */
export interface SkippedEntry {
  readonly path: string;
  readonly kind: 'submodule' | 'symbolic-link' | 'other';
}

/** A snapshot that says what it had to leave out, so a loader can explain an empty role directory. */
export interface SourceSnapshot extends Snapshot {
  readonly skipped: readonly SkippedEntry[];
}

export interface GitStore {
  /** Brings the branches up to date; true when one moved, came or went. A local repository needs none. */
  fetch(): Promise<Result<boolean>>;
  /** Every branch, sorted by name. */
  branches(): Promise<Result<readonly Branch[]>>;
  commit(id: string): Promise<Result<CommitInfo>>;
  /** The tree of a commit; `branch` is only noted in its revision. */
  snapshot(commit: string, branch?: string): Promise<Result<SourceSnapshot>>;
  /** Whether `ancestor` is `commit` or comes before it. */
  isAncestor(ancestor: string, commit: string): Promise<Result<boolean>>;
  close(): Promise<void>;
}
