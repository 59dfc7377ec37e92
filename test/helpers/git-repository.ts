/**
 * Real repositories made with the system's git, for tests.
 * Invariant: the same content and dates give the same commit ids; no configuration of this machine is read.
 * Never used by the product.
 */

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const environment = {
  PATH: process.env.PATH,
  HOME: '/nonexistent',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'Ada',
  GIT_AUTHOR_EMAIL: 'ada@example.org',
  GIT_AUTHOR_DATE: '2026-01-02T03:04:05Z',
  GIT_COMMITTER_NAME: 'Ada',
  GIT_COMMITTER_EMAIL: 'ada@example.org',
  GIT_COMMITTER_DATE: '2026-01-02T03:04:05Z',
};

/** Runs git in a directory and gives what it printed. */
export function runGit(directory: string, ...argv: string[]): string {
  return execFileSync('git', argv, { cwd: directory, env: environment, stdio: 'pipe' }).toString().trim();
}

/** Writes files below a directory. */
export function writeFiles(directory: string, files: Readonly<Record<string, string>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), content);
  }
}

/** Writes files, commits everything and gives the commit's id. */
export function commitFiles(
  directory: string,
  files: Readonly<Record<string, string>>,
  message = 'Change',
): string {
  writeFiles(directory, files);
  runGit(directory, 'add', '-A');
  runGit(directory, 'commit', '-q', '--allow-empty', '-m', message);
  return runGit(directory, 'rev-parse', 'HEAD');
}

/** Makes a repository with a first commit in `directory`. */
export function createRepository(directory: string, files: Readonly<Record<string, string>>): string {
  mkdirSync(directory, { recursive: true });
  runGit(directory, 'init', '-q', '-b', 'main');
  return commitFiles(directory, files, 'First');
}
