/**
 * `user`, `group` and `authorizedKey`: the accounts of a host.
 * Invariant: what is left out is not compared and not changed.
 * Public: this file is part of the declarations editors show, so it imports from this folder only.
 */

import { Draft } from './draft.ts';
import type { MetaParameters, Presence, Resource } from './resource.ts';

/** Parameters of `user`. */
export interface UserParameters extends MetaParameters {
  /** Default `'present'`. */
  state?: Presence | undefined;
  /** Numeric id. */
  uid?: number | undefined;
  /** Primary group, by name. */
  group?: string | undefined;
  /** Supplementary groups: exactly these, or at least these with `appendGroups`. */
  groups?: readonly string[] | undefined;
  /** Keep supplementary groups that are not listed. */
  appendGroups?: boolean | undefined;
  /** Full name or purpose, as in /etc/passwd. */
  comment?: string | undefined;
  /** Home directory. */
  home?: string | undefined;
  /** Make the home directory. */
  createHome?: boolean | undefined;
  /** Login shell. */
  shell?: string | undefined;
  /** A system account, with an id from the system's range. */
  system?: boolean | undefined;
  /** A crypt(3) hash for /etc/shadow, never a password in clear. */
  passwordHash?: string | undefined;
  /** Lock or unlock the password. */
  locked?: boolean | undefined;
  /** With `state: 'absent'`: also remove the home directory. */
  removeHome?: boolean | undefined;
}

/** Parameters of `group`. */
export interface GroupParameters extends MetaParameters {
  /** Default `'present'`. */
  state?: Presence | undefined;
  /** Numeric id. */
  gid?: number | undefined;
  /** A system group, with an id from the system's range. */
  system?: boolean | undefined;
}

/** Parameters of `authorizedKey`. */
export interface AuthorizedKeyParameters extends MetaParameters {
  /** Default `'present'`. */
  state?: Presence | undefined;
  /** The account that may be logged in to. */
  user: string;
  /** One public key in OpenSSH form: type, base64, optional comment. */
  key: string;
  /** sshd's options in front of the key, e.g. `from="10.0.0.0/8",no-pty`. */
  options?: string | undefined;
  /** Default: `~/.ssh/authorized_keys` of the user. */
  path?: string | undefined;
  /** Remove every other key of the file. */
  exclusive?: boolean | undefined;
}

/** An account: `user('deploy', { shell: '/bin/bash', groups: ['www-data'] })`. */
export function user(name: string, parameters: UserParameters = {}): Resource {
  return new Draft(user, 'user', name, parameters);
}

/** A group: `group('deploy')`. */
export function group(name: string, parameters: GroupParameters = {}): Resource {
  return new Draft(group, 'group', name, parameters);
}

/** A public key that may log in: `authorizedKey('ann', { user: 'deploy', key: 'ssh-ed25519 AAAA… ann' })`. */
export function authorizedKey(name: string, parameters: AuthorizedKeyParameters): Resource {
  return new Draft(authorizedKey, 'authorizedKey', name, parameters);
}
