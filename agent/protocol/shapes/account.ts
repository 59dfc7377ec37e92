/**
 * Parameters of `user`, `group` and `authorizedKey`: the accounts of a host.
 * Invariant: what is left out is not compared and not changed.
 * Pure.
 */

import * as z from '../schema.ts';
import { pathSchema, presence } from './common.ts';

const accountName = z
  .matching(/^[a-z_][a-z0-9_-]*\$?$/i)
  .check(z.holds((name) => name.length <= 32, 'is longer than 32 characters'));

export const userShape = z.object({
  user: accountName,
  state: presence,
  uid: z.optionalNumber,
  /** Primary group, by name. */
  group: z.optionalString,
  /** Supplementary groups: exactly these, or at least these with appendGroups. */
  groups: z.optionalStrings,
  appendGroups: z.optionalBoolean,
  comment: z.optional(z.matching(/^[^:\n]*$/)),
  home: z.optional(pathSchema),
  createHome: z.optionalBoolean,
  shell: z.optional(pathSchema),
  system: z.optionalBoolean,
  /** A crypt(3) hash for /etc/shadow, never a password in clear. */
  passwordHash: z.optionalString,
  /** Lock or unlock the password. */
  locked: z.optionalBoolean,
  /** absent: also remove the home directory. */
  removeHome: z.optionalBoolean,
});
export type UserShape = z.Infer<typeof userShape>;

export const groupShape = z.object({
  group: accountName,
  state: presence,
  gid: z.optionalNumber,
  system: z.optionalBoolean,
});
export type GroupShape = z.Infer<typeof groupShape>;

export const authorizedKeyShape = z.object({
  user: accountName,
  state: presence,
  /** One key in OpenSSH form: type, base64, optional comment. */
  key: z.matching(/^[a-z0-9@.-]+ [A-Za-z0-9+/=]+( [^\n]*)?$/),
  /** sshd's options in front of the key, e.g. `from="10.0.0.0/8",no-pty`. */
  options: z.optional(z.matching(/^[^\n]*$/)),
  /** Default: ~/.ssh/authorized_keys of the user. */
  path: z.optional(pathSchema),
  /** Remove every other key of the file. */
  exclusive: z.optionalBoolean,
});
export type AuthorizedKeyShape = z.Infer<typeof authorizedKeyShape>;
