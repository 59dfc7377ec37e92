/**
 * Parameters of `user`, `group` and `authorizedKey`: the accounts of a host.
 * Invariant: what is left out is not compared and not changed.
 * Pure.
 */

import * as z from '../schema.ts';
import { pathSchema, presence } from './common.ts';

const accountName = z.string.check(
  z.matches(/^[a-z_][a-z0-9_-]*\$?$/i),
  z.holds((name: string) => name.length <= 32, 'is longer than 32 characters'),
);

export const userShape = z.object({
  user: accountName,
  state: presence,
  uid: z.optional(z.number),
  /** Primary group, by name. */
  group: z.optional(z.string),
  /** Supplementary groups: exactly these, or at least these with appendGroups. */
  groups: z.optional(z.array(z.string)),
  appendGroups: z.optional(z.boolean),
  comment: z.optional(z.string.check(z.matches(/^[^:\n]*$/))),
  home: z.optional(pathSchema),
  createHome: z.optional(z.boolean),
  shell: z.optional(pathSchema),
  system: z.optional(z.boolean),
  /** A crypt(3) hash for /etc/shadow, never a password in clear. */
  passwordHash: z.optional(z.string),
  /** Lock or unlock the password. */
  locked: z.optional(z.boolean),
  /** absent: also remove the home directory. */
  removeHome: z.optional(z.boolean),
});
export type UserShape = z.Infer<typeof userShape>;

export const groupShape = z.object({
  group: accountName,
  state: presence,
  gid: z.optional(z.number),
  system: z.optional(z.boolean),
});
export type GroupShape = z.Infer<typeof groupShape>;

export const authorizedKeyShape = z.object({
  user: accountName,
  state: presence,
  /** One key in OpenSSH form: type, base64, optional comment. */
  key: z.string.check(z.matches(/^[a-z0-9@.-]+ [A-Za-z0-9+/=]+( [^\n]*)?$/)),
  /** sshd's options in front of the key, e.g. `from="10.0.0.0/8",no-pty`. */
  options: z.optional(z.string.check(z.matches(/^[^\n]*$/))),
  /** Default: ~/.ssh/authorized_keys of the user. */
  path: z.optional(pathSchema),
  /** Remove every other key of the file. */
  exclusive: z.optional(z.boolean),
});
export type AuthorizedKeyShape = z.Infer<typeof authorizedKeyShape>;
