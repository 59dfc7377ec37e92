/**
 * Copies the policy repository that works as it is: what `towline init` lays, and what the demo begins with.
 * Invariant: what is copied is what the package carries, `gitignore` under its real name, and nothing an editor left behind.
 * Never writes over anything; the caller gives a new or empty directory.
 */

import { cpSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { basename, join } from 'node:path';
import { packageFile } from '../base/package-file.ts';

/** What an editor or an earlier try leaves in the template of a checkout. */
const leftovers = ['.towline', 'node_modules', '.gitignore'];

/** Lays the template in `directory`, and gives the paths of its files, sorted. */
export function copyTemplate(directory: string): readonly string[] {
  mkdirSync(directory, { recursive: true });
  const filter = (source: string): boolean => !leftovers.includes(basename(source));
  cpSync(packageFile('repo-template'), directory, { recursive: true, filter });
  // npm leaves files named .gitignore out of packages.
  renameSync(join(directory, 'gitignore'), join(directory, '.gitignore'));
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort();
}
