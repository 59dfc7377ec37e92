/**
 * Where the policy and the state are: from --repo and --state to a location and a directory.
 * Invariant: one policy location has one state directory, whatever directory the command is run from.
 * Pure.
 */

import { createHash } from 'node:crypto';
import { basename, join, resolve } from 'node:path';
import type { Options, Surroundings } from './command.ts';

/** The policy's location: an http(s) URL as it is, or an absolute path. */
export function policyLocation(
  options: Pick<Options, 'repo'>,
  { directory }: Pick<Surroundings, 'directory'>,
): string {
  return /^[a-z+]+:\/\//.test(options.repo) ? options.repo : resolve(directory, options.repo);
}

/** What can be made again: under the user's cache home (XDG Base Directory). */
export function cacheDirectory({ environment, home }: Pick<Surroundings, 'environment' | 'home'>): string {
  return join(environment.XDG_CACHE_HOME || join(home, '.cache'), 'towline');
}

/** --state, else TOWLINE_STATE, else a directory of its own per policy under the user's state home (XDG Base Directory). */
export function stateDirectory(
  options: Pick<Options, 'repo' | 'state'>,
  surroundings: Pick<Surroundings, 'directory' | 'environment' | 'home'>,
): string {
  const { environment, directory, home } = surroundings;
  const given = options.state ?? environment.TOWLINE_STATE;
  if (given !== undefined && given !== '') return resolve(directory, given);
  const location = policyLocation(options, surroundings);
  const name = basename(location).replaceAll(/[^A-Za-z0-9._-]/g, '_') || 'policy';
  const mark = createHash('sha256').update(location).digest('hex').slice(0, 8);
  return join(environment.XDG_STATE_HOME || join(home, '.local', 'state'), 'towline', `${name}-${mark}`);
}
