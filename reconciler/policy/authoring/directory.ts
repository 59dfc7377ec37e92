/**
 * `directory` and `link`: what is on a path besides files.
 * Invariant: `purge` touches only what lies below the directory.
 * Public: this file is part of the declarations editors show, so it imports from this folder only.
 */

import { Draft } from './draft.ts';
import type { MetaParameters, OwnershipParameters, Presence, Resource } from './resource.ts';

/** Parameters of `directory`. */
export interface DirectoryParameters extends MetaParameters, OwnershipParameters {
  /** `'absent'` removes the directory. Default `'present'`. */
  state?: Presence | undefined;
  /** A folder of the policy to copy with all it holds: looked for in `roles/<role>/files/`, then in `files/`. */
  from?: string | undefined;
  /** Remove what lies below the path and is not in the policy's folder. */
  purge?: boolean | undefined;
  /** With `state: 'absent'`: remove it with all it holds; without, only when empty. */
  force?: boolean | undefined;
}

/** Parameters of `link`. */
export interface LinkParameters extends MetaParameters {
  /** `'absent'` removes the link. Default `'present'`. */
  state?: Presence | undefined;
  /** What the link points to, as it is; may be relative. */
  target?: string | undefined;
  /** Replace what is on the path even if it is no link. */
  force?: boolean | undefined;
}

/** A directory, or a whole tree: `directory('/srv/app', { from: 'site', purge: true })`. */
export function directory(path: string, parameters: DirectoryParameters = {}): Resource {
  return new Draft(directory, 'directory', path, parameters);
}

/** A symbolic link: `link('/srv/current', { target: 'releases/7' })`. */
export function link(path: string, parameters: LinkParameters): Resource {
  return new Draft(link, 'link', path, parameters);
}
