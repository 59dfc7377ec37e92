/**
 * Repositories that Towline itself begins: a first commit for `init`, commits for the demo. Needs no git program.
 * Invariant: what .gitignore names is never committed; files removed from the tree stay in the commit.
 * Never used on a repository that somebody else began.
 */

import fs from 'node:fs';
import git from 'isomorphic-git';

export interface Commit {
  readonly message: string;
  readonly author: { readonly name: string; readonly email: string };
}

/** The branch a repository begins with. */
export const firstBranch = 'main';

/** Makes a repository of the files in `directory`, with a first commit of all of them. */
export async function beginRepository(directory: string, commit: Commit): Promise<string> {
  await git.init({ fs, dir: directory, defaultBranch: firstBranch });
  return commitFiles(directory, ['.'], commit);
}

/** Commits files and folders as they are on disk; gives the commit's id. */
export async function commitFiles(
  directory: string,
  paths: readonly string[],
  { message, author }: Commit,
): Promise<string> {
  await git.add({ fs, dir: directory, filepath: [...paths] });
  return git.commit({ fs, dir: directory, message, author });
}
