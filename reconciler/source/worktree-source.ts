/**
 * A policy source whose one tree is a working tree, for watch mode.
 * Invariant: hints are kept until a snapshot has taken them in; a failed one loses none.
 * Never tells of a change that is none, nor twice of one problem: an id that stayed the same is silence.
 */

import { relative } from 'node:path';
import { failure, type Result, success } from '../../agent/protocol/problem.ts';
import { sourceProblem } from '../base/problem-codes/source.ts';
import type { SourceSnapshot } from './git-store.ts';
import { isIgnoredPath } from './ignored-paths.ts';
import type { PolicySource, SourceChange } from './policy-source.ts';
import { checkedOutBranch, enclosingRepository, gitActivity } from './repository.ts';
import { startWatch, type Watch } from './watch.ts';
import { openWorktree, type Worktree, type WorktreeOptions } from './worktree.ts';

type Hints = ReadonlySet<string> | 'all';

interface Watched {
  readonly root: string;
  readonly worktree: Worktree;
  readonly listeners: Set<(change: SourceChange) => void>;
  watch: Watch | undefined;
  hints: Hints;
  latest: SourceSnapshot | undefined;
  /** Id last told of. */
  told: string | undefined;
  /** Message of the problem last told of, until the tree can be read again. */
  toldProblem: string | undefined;
  queue: Promise<unknown>;
  retry: NodeJS.Timeout | undefined;
}

const retryMilliseconds = 300;

/** The source of the working tree at `root`, an absolute path without links. */
export function openWorktreeSource(root: string, options: WorktreeOptions): Result<PolicySource> {
  const forming = new Set<(snapshot: SourceSnapshot) => void>();
  const onForming = (snapshot: SourceSnapshot): void => {
    for (const listener of forming) listener(snapshot);
  };
  const state: Watched = {
    root,
    worktree: openWorktree(root, { ...options, onForming }),
    listeners: new Set(),
    watch: undefined,
    hints: 'all',
    latest: undefined,
    told: undefined,
    toldProblem: undefined,
    queue: Promise.resolve(),
    retry: undefined,
  };
  return success({
    describe: () => `the working tree ${root}`,
    branches: async () => {
      const taken = await take(state);
      if (!taken.ok) return taken;
      const { id, branch } = taken.value.revision;
      return success([{ name: branch ?? 'worktree', commit: id }]);
    },
    refresh: async () => success(false),
    snapshot: () => take(state),
    snapshotAt: async (commit) => {
      const message = `a working tree has no commit ${commit.slice(0, 12)}`;
      return failure(sourceProblem('source.no-such-commit', message));
    },
    onChange: (listener) => subscribe(state, listener),
    onForming: (listener) => void forming.add(listener),
    close: async () => {
      state.listeners.clear();
      forming.clear();
      await stopWatching(state);
    },
  });
}

/** The tree now. One at a time, so that nobody gets the tree from before hints that another is still taking in. */
function take(state: Watched): Promise<Result<SourceSnapshot>> {
  const taken = state.queue.then(() => takeNext(state));
  state.queue = taken.catch(() => undefined);
  return taken;
}

async function takeNext(state: Watched): Promise<Result<SourceSnapshot>> {
  const hints = state.watch === undefined ? 'all' : state.hints;
  if (state.latest !== undefined && hints !== 'all' && hints.size === 0)
    return success(currentBranch(state, state.latest));
  state.hints = new Set();
  const taken = await state.worktree.snapshot(hints === 'all' ? undefined : hints);
  if (taken.ok) state.latest = taken.value;
  else state.hints = joined(hints, state.hints);
  return taken;
}

/** The branch may be another although no file is: HEAD is not watched. */
function currentBranch(state: Watched, snapshot: SourceSnapshot): SourceSnapshot {
  const repository = enclosingRepository(state.root);
  const branch = repository && checkedOutBranch(repository);
  if (branch === snapshot.revision.branch) return snapshot;
  return { ...snapshot, revision: { ...snapshot.revision, branch } };
}

function joined(a: Hints, b: Hints): Hints {
  return a === 'all' || b === 'all' ? 'all' : new Set([...a, ...b]);
}

async function subscribe(
  state: Watched,
  listener: (change: SourceChange) => void,
): Promise<() => Promise<void>> {
  state.listeners.add(listener);
  if (state.watch === undefined) await startWatching(state);
  return async () => {
    state.listeners.delete(listener);
    if (state.listeners.size === 0) await stopWatching(state);
  };
}

async function startWatching(state: Watched): Promise<void> {
  const { root } = state;
  const before = await take(state);
  state.told = before.ok ? before.value.revision.id : undefined;
  const repository = enclosingRepository(root);
  const watch = await startWatch(
    {
      roots: [root],
      ignored: (path) => isIgnoredPath(relative(root, path)),
      hold: () => repository && gitActivity(repository.headDirectory),
    },
    (notice) => {
      if (notice.type === 'problem') return tell(state, notice);
      const paths =
        notice.paths === 'all' ? 'all' : new Set([...notice.paths].map((path) => relative(root, path)));
      state.hints = joined(state.hints, paths);
      void compare(state);
    },
  );
  state.watch = watch;
  state.hints = 'all';
  await compare(state);
}

async function stopWatching(state: Watched): Promise<void> {
  clearTimeout(state.retry);
  const { watch } = state;
  state.watch = undefined;
  await watch?.close();
  await state.queue;
}

/** Takes the hints in and tells of what came of it. */
async function compare(state: Watched): Promise<void> {
  clearTimeout(state.retry);
  const taken = await take(state);
  if (state.listeners.size === 0) return;
  if (!taken.ok) {
    if (taken.problem.disposition === 'wait') {
      state.retry = setTimeout(() => void compare(state), retryMilliseconds);
    }
    if (taken.problem.message !== state.toldProblem) {
      state.toldProblem = taken.problem.message;
      tell(state, { type: 'problem', problem: taken.problem });
    }
    return;
  }
  state.toldProblem = undefined;
  if (taken.value.revision.id === state.told) return;
  state.told = taken.value.revision.id;
  tell(state, { type: 'changed' });
}

function tell(state: Watched, change: SourceChange): void {
  for (const listener of state.listeners) listener(change);
}
