/**
 * What the controller knows of a policy's source, whichever it is.
 * Invariant: `snapshot` gives a frozen tree of a state that was whole; a failure leaves what was known before in force.
 * Interfaces only.
 */

import type { Problem, Result } from '../../agent/protocol/problem.ts';
import type { Clock } from '../base/clock.ts';
import type { SourceSnapshot } from './git-store.ts';

export interface SourceBranch {
  readonly name: string;
  /** Commit id; of a working tree the id of its present content. */
  readonly commit: string;
  /** ISO 8601, UTC; absent for a working tree. */
  readonly committedAt?: string | undefined;
}

export type SourceChange =
  /** A branch (or the tree) is not what it was; ask again what it is. */
  { readonly type: 'changed' } | { readonly type: 'problem'; readonly problem: Problem };

export interface PolicySource {
  /** For people: what this is and how its changes are noticed. */
  describe(): string;
  /** Every branch; a working tree has one, the branch checked out (`worktree` when HEAD is detached). */
  branches(): Promise<Result<readonly SourceBranch[]>>;
  /** Fetches from a remote; true when something changed. Nothing to do for the others. */
  refresh(): Promise<Result<boolean>>;
  /** The newest tree of a branch, as of the last refresh. A working tree gives its one tree for any name. */
  snapshot(branch: string): Promise<Result<SourceSnapshot>>;
  /** The tree of an older commit: the last good revision after a restart, a rollback. A working tree has none. */
  snapshotAt(commit: string, branch?: string): Promise<Result<SourceSnapshot>>;
  /**
   * Tells of changes and of problems in noticing them until the given function is called: a local repository's branches
   * and a working tree's files are watched. A remote tells nothing by itself; who wants to know calls refresh.
   */
  onChange(listener: (change: SourceChange) => void): Promise<() => Promise<void>>;
  /** Tells of trees that were read and have yet to settle, so that work on them can begin; most come to be. Only working trees do. */
  onForming?(listener: (snapshot: SourceSnapshot) => void): void;
  close(): Promise<void>;
}

export interface SourceOptions {
  readonly clock: Clock;
  /** `worktree` takes uncommitted files of a local path; `git` takes commits only. */
  readonly mode: 'git' | 'worktree';
  /** What relative locations count from. */
  readonly directory: string;
  /** State directory; mirrors of remotes live in its `git` folder. */
  readonly stateDirectory: string;
  /** File with an access token for a remote. */
  readonly tokenFile?: string | undefined;
}
