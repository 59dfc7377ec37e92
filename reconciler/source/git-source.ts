/**
 * A policy source whose trees are commits: a remote that is asked, or a watched local repository.
 * Invariant: listeners hear `changed` once per change of the set of branches and their commits.
 * Never shows a branch of a remote before its commits are here.
 */

import { join, relative } from 'node:path';
import { failure, type Result, success } from '../../agent/protocol/problem.ts';
import { sourceProblem } from '../base/problem-codes/source.ts';
import type { Branch, GitStore, SourceSnapshot } from './git-store.ts';
import { createGitStore, localBranches } from './isomorphic.ts';
import { openMirror } from './mirror.ts';
import type { PolicySource, SourceBranch, SourceChange, SourceOptions } from './policy-source.ts';
import { openRepository, type Repository } from './repository.ts';
import { startWatch } from './watch.ts';

type Listener = (change: SourceChange) => void;

/** The source of an http(s) remote; mirrors live below `directory`. */
export async function openRemoteSource(
  url: string,
  directory: string,
  options: SourceOptions,
): Promise<Result<PolicySource>> {
  const mirror = await openMirror({ url, directory, tokenFile: options.tokenFile });
  if (!mirror.ok) return mirror;
  const store = createGitStore(mirror.value.gitDirectory, mirror.value, { scratch: scratchIn(options) });
  return success(createSource(store, url, async () => async () => {}));
}

/** The source of a repository on this machine: its commits, not its working tree. */
export async function openLocalSource(
  path: string,
  options: Pick<SourceOptions, 'stateDirectory'>,
): Promise<Result<PolicySource>> {
  const repository = openRepository(path);
  if (!repository.ok) return repository;
  const { gitDirectory } = repository.value;
  const store = createGitStore(gitDirectory, localBranches(gitDirectory), { scratch: scratchIn(options) });
  const onChange = (listener: Listener): Promise<() => Promise<void>> =>
    watchBranches(repository.value, store, listener);
  return success(createSource(store, `${path}, its branches watched`, onChange));
}

/** The state directory is on a disk; a temporary folder is often in memory. */
function scratchIn({ stateDirectory }: Pick<SourceOptions, 'stateDirectory'>): string {
  return join(stateDirectory, 'contents');
}

function createSource(
  store: GitStore,
  description: string,
  onChange: PolicySource['onChange'],
): PolicySource {
  const dates = new Map<string, string>();
  return {
    describe: () => description,
    branches: () => datedBranches(store, dates),
    refresh: store.fetch,
    snapshot: (branch) => branchSnapshot(store, branch),
    snapshotAt: store.snapshot,
    onChange,
    close: store.close,
  };
}

async function branchSnapshot(store: GitStore, name: string): Promise<Result<SourceSnapshot>> {
  const branches = await store.branches();
  if (!branches.ok) return branches;
  const branch = branches.value.find((one) => one.name === name);
  if (branch !== undefined) return store.snapshot(branch.commit, name);
  const known = branches.value
    .map((one) => one.name)
    .slice(0, 10)
    .join(', ');
  const message = `there is no branch ${name}; ${known === '' ? 'there are none' : `there are ${known}`}`;
  return failure(sourceProblem('source.no-such-branch', message));
}

async function datedBranches(
  store: GitStore,
  dates: Map<string, string>,
): Promise<Result<readonly SourceBranch[]>> {
  const branches = await store.branches();
  if (!branches.ok) return branches;
  const dated: SourceBranch[] = [];
  for (const branch of branches.value) {
    const known = dates.get(branch.commit);
    const commit = known === undefined ? await store.commit(branch.commit) : undefined;
    if (commit !== undefined && !commit.ok) return commit;
    const committedAt = known ?? commit?.value.committedAt ?? '';
    dates.set(branch.commit, committedAt);
    dated.push({ ...branch, committedAt });
  }
  for (const id of dates.keys()) if (!dated.some((branch) => branch.commit === id)) dates.delete(id);
  return success(dated);
}

/** Watches the few files that say where branches are, and compares after each hint. */
async function watchBranches(
  { gitDirectory }: Repository,
  store: GitStore,
  listener: Listener,
): Promise<() => Promise<void>> {
  const text = (branches: Result<readonly Branch[]>): string | undefined =>
    branches.ok ? JSON.stringify(branches.value) : undefined;
  let known = text(await store.branches());
  const compare = async (): Promise<void> => {
    const branches = await store.branches();
    if (!branches.ok) return listener({ type: 'problem', problem: branches.problem });
    const now = text(branches);
    if (now === known) return;
    known = now;
    listener({ type: 'changed' });
  };
  let last = Promise.resolve();
  const check = (): void => {
    last = last.then(compare);
  };
  const ignored = (path: string): boolean => !isBranchPath(relative(gitDirectory, path));
  const watch = await startWatch({ roots: [gitDirectory], ignored }, (notice) => {
    if (notice.type === 'problem') listener(notice);
    else check();
  });
  check();
  return async () => {
    await watch.close();
    await last;
  };
}

function isBranchPath(path: string): boolean {
  return (
    ['', 'HEAD', 'packed-refs', 'refs'].includes(path) ||
    path === join('refs', 'heads') ||
    (path.startsWith(join('refs', 'heads/')) && !path.endsWith('.lock'))
  );
}
