/**
 * Where policy comes from, as the controller sees it: one interface for a remote, a local repository and a working tree.
 * Invariant: `snapshot` gives a frozen tree of a state that was whole; a failure leaves what was known before in force.
 * Never decides what runs: which branch is trusted and what its towline.toml means is the caller's.
 */

import { existsSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { failure, type Result } from '../../agent/protocol/problem.ts';
import { sourceProblem } from '../base/problem-codes/source.ts';
import { openLocalSource, openRemoteSource } from './git-source.ts';
import { parseLocation } from './location.ts';
import type { PolicySource, SourceOptions } from './policy-source.ts';
import { openWorktreeSource } from './worktree-source.ts';

/** Opens the source at a location: an http(s) URL, or a local path. */
export async function openSource(text: string, options: SourceOptions): Promise<Result<PolicySource>> {
  const location = parseLocation(text, options.directory);
  if (!location.ok) return location;
  if (location.value.kind === 'remote') {
    const { url } = location.value;
    if (options.mode === 'git') return openRemoteSource(url, join(options.stateDirectory, 'git'), options);
    return failure(sourceProblem('source.bad-location', `${url} has no working tree on this machine`));
  }
  const { path } = location.value;
  if (!existsSync(path) || !statSync(path).isDirectory()) {
    return failure(sourceProblem('source.no-such-repository', `there is no folder ${path}`));
  }
  const real = realpathSync(path);
  return options.mode === 'git'
    ? openLocalSource(real, options)
    : openWorktreeSource(real, { clock: options.clock });
}
