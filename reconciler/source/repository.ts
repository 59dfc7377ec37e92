/**
 * Finds the git directories of a local path, and says when isomorphic-git cannot read what is there.
 * Invariant: a linked worktree leads to the directory it shares with its repository.
 * Never writes.
 */

import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { failure, type Problem, type Result, success } from '../../agent/protocol/problem.ts';
import { sourceProblem } from '../base/problem-codes/source.ts';

export interface Repository {
  /** Where objects and branches are. */
  readonly gitDirectory: string;
  /** Where HEAD, the index and the state of a merge are; differs from the above in a linked worktree. */
  readonly headDirectory: string;
}

/** The repository at a path: bare, with a `.git` directory, or a linked worktree with a `.git` file. */
export function findRepository(path: string): Repository | undefined {
  const headDirectory = isGitDirectory(path) ? path : pointedTo(join(path, '.git'));
  if (headDirectory === undefined) return undefined;
  const common = readLine(join(headDirectory, 'commondir'));
  return {
    headDirectory,
    gitDirectory: common === undefined ? headDirectory : resolve(headDirectory, common),
  };
}

/** The repository that a path is in: at the path or above it. */
export function enclosingRepository(path: string): Repository | undefined {
  const found = existsSync(join(path, '.git')) ? findRepository(path) : undefined;
  if (found !== undefined || dirname(path) === path) return found;
  return enclosingRepository(dirname(path));
}

/** The branch that is checked out; undefined when HEAD is detached. */
export function checkedOutBranch(repository: Repository): string | undefined {
  const head = readLine(join(repository.headDirectory, 'HEAD'));
  return /^ref: refs\/heads\/(.+)$/.exec(head ?? '')?.[1];
}

/** The repository at a path, if it can be read in-process. */
export function openRepository(path: string): Result<Repository> {
  const repository = findRepository(path);
  if (repository === undefined) {
    return failure(sourceProblem('source.no-such-repository', `no git repository at ${path}`));
  }
  const problem = unsupported(repository.gitDirectory);
  return problem === undefined ? success(repository) : failure(problem);
}

/** What of a repository's layout is beyond the in-process reader. */
function unsupported(gitDirectory: string): Problem | undefined {
  const refuse = (what: string, hint?: string): Problem =>
    sourceProblem(
      'source.unsupported-repository',
      `${gitDirectory} ${what}`,
      hint === undefined ? {} : { hint },
    );
  if (readLine(join(gitDirectory, 'objects/info/alternates')) !== undefined) {
    return refuse(
      'borrows objects of another repository (alternates)',
      'Run: git repack -a -d && rm .git/objects/info/alternates',
    );
  }
  const config = readConfig(join(gitDirectory, 'config'));
  if (config.get('extensions.objectformat') === 'sha256') return refuse('uses SHA-256 object ids');
  if (config.get('extensions.refstorage') === 'reftable') {
    return refuse('keeps its branches in reftable files', 'Run: git refs migrate --ref-format=files');
  }
  if (config.has('extensions.partialclone') || [...config.keys()].some((key) => key.endsWith('.promisor'))) {
    return refuse('is a partial clone, so files may be missing', 'Clone again without --filter.');
  }
  return undefined;
}

/** Sections and keys in lower case, joined by a dot; a subsection is left out. Enough for the questions asked here. */
function readConfig(file: string): Map<string, string> {
  const values = new Map<string, string>();
  let section = '';
  for (const line of readText(file).split('\n')) {
    const header = /^\s*\[\s*([\w.-]+)/.exec(line)?.[1];
    if (header !== undefined) section = header.toLowerCase();
    const pair = /^\s*([\w-]+)\s*(?:=\s*(.*?))?\s*$/.exec(line);
    if (pair?.[1] !== undefined)
      values.set(`${section}.${pair[1].toLowerCase()}`, (pair[2] ?? 'true').toLowerCase());
  }
  return values;
}

function isGitDirectory(path: string): boolean {
  const files = ['HEAD', 'objects', 'refs'].every((name) => existsSync(join(path, name)));
  return files || (existsSync(join(path, 'HEAD')) && existsSync(join(path, 'commondir')));
}

function pointedTo(dotGit: string): string | undefined {
  if (!existsSync(dotGit)) return undefined;
  if (statSync(dotGit).isDirectory()) return isGitDirectory(dotGit) ? dotGit : undefined;
  const target = /^gitdir: (.+)$/.exec(readLine(dotGit) ?? '')?.[1];
  const directory = target === undefined ? undefined : resolve(dirname(dotGit), target);
  return directory !== undefined && isGitDirectory(directory) ? directory : undefined;
}

function readLine(file: string): string | undefined {
  const line = readText(file).split('\n')[0]?.trim();
  return line === '' ? undefined : line;
}

/** Most often what is asked for is not there, and an error costs more than a look. */
function readText(file: string): string {
  try {
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  } catch {
    return '';
  }
}

const busySigns: readonly (readonly [string, string])[] = [
  ['index.lock', 'git is writing its index'],
  ['rebase-merge', 'a rebase is in progress'],
  ['rebase-apply', 'a rebase is in progress'],
  ['MERGE_HEAD', 'a merge is in progress'],
  ['CHERRY_PICK_HEAD', 'a cherry-pick is in progress'],
  ['REVERT_HEAD', 'a revert is in progress'],
];

/** What git is in the middle of in a working tree, for people; undefined when it is at rest. */
export function gitActivity(headDirectory: string): string | undefined {
  const sign = busySigns.find(([name]) => existsSync(join(headDirectory, name)));
  return sign && `${sign[1]} (${join(basename(headDirectory), sign[0])})`;
}
