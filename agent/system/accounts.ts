/**
 * The account databases as data, and names to ids.
 * Invariant: a line that is not an entry is left out, never guessed at; an unknown name is file.unknown-owner.
 * Reads only; never writes an account file.
 */

import { ProblemError } from '../protocol/problem.ts';
import { refusal } from '../protocol/problem-codes.ts';
import { nameService } from './queries.ts';
import { readText } from './read-text.ts';
import type { Account, Ownership, SystemReader, UnixGroup } from './system.ts';

/** Keys under which `once` remembers the lists: forget them after changing an account. */
export const accountsKey = 'accounts';
export const groupsKey = 'groups';

/** Entries of a passwd file or of `getent passwd`. */
export function parseAccounts(text: string): Account[] {
  return entries(text).flatMap(([name = '', , uid = '', gid = '', comment = '', home = '', shell = '']) =>
    isId(uid) && isId(gid)
      ? [{ name, uid: Number(uid), gid: Number(gid), comment, home, shell: shell || '/bin/sh' }]
      : [],
  );
}

/** Entries of a group file or of `getent group`. */
export function parseGroups(text: string): UnixGroup[] {
  return entries(text).flatMap(([name = '', , gid = '', members = '']) =>
    isId(gid)
      ? [{ name, gid: Number(gid), members: members.split(',').filter((member) => member !== '') }]
      : [],
  );
}

/** Whether the files alone answer for a database, by /etc/nsswitch.conf. */
export function filesSuffice(nsswitch: string, database: 'passwd' | 'group'): boolean {
  const line = nsswitch.split('\n').find((text) => text.trimStart().startsWith(`${database}:`));
  if (line === undefined) return true;
  const services = line.slice(line.indexOf(':') + 1).replace(/\[[^\]]*\]|#.*/g, ' ');
  return services.split(/\s+/).every((service) => ['', 'files', 'compat', 'systemd'].includes(service));
}

/** All entries of a database: from its file, or from the name service when that has other sources too. */
export async function readDatabase(system: SystemReader, database: 'passwd' | 'group'): Promise<string> {
  const file = await readText(system, `/etc/${database}`);
  if (filesSuffice(await readText(system, '/etc/nsswitch.conf'), database)) return file;
  return (await ask(system, database)) ?? file;
}

/** The account of this name. */
export async function findAccount(system: SystemReader, user: string): Promise<Account | undefined> {
  return (await system.accounts()).find(({ name }) => name === user);
}

/** The group of this name. */
export async function findGroup(system: SystemReader, group: string): Promise<UnixGroup | undefined> {
  return (await system.groups()).find(({ name }) => name === group);
}

/** The id of a name or numeric text; undefined when no such user or group exists. */
export async function findId(
  system: SystemReader,
  what: 'user' | 'group',
  name: string,
): Promise<number | undefined> {
  const isUser = what === 'user';
  const known = isUser ? (await findAccount(system, name))?.uid : (await findGroup(system, name))?.gid;
  if (known !== undefined) return known;
  const answer = isId(name) ? undefined : await ask(system, isUser ? 'passwd' : 'group', name);
  // The third word of an entry is the id in both databases.
  const id = answer === undefined ? name : (entries(answer)[0]?.[2] ?? '');
  return isId(id) ? Number(id) : undefined;
}

/** Both ids of an ownership. Undefined: left out; null: nobody has it, and `missing` did not throw. */
export interface Ids {
  readonly uid: number | null | undefined;
  readonly gid: number | null | undefined;
}

/** Both ids of an ownership. Throws file.unknown-owner, unless `missing` knows better. */
export async function resolveIds(
  system: SystemReader,
  { owner, group }: Ownership,
  missing = (what: 'user' | 'group', name: string): void => {
    throw unknownOwner(what, name);
  },
): Promise<Ids> {
  const idOf = async (what: 'user' | 'group', name: string | undefined) => {
    if (name === undefined) return undefined;
    const id = await findId(system, what, name);
    if (id === undefined) missing(what, name);
    return id ?? null;
  };
  return { uid: await idOf('user', owner), gid: await idOf('group', group) };
}

/** The problem of a name that no database has. */
export function unknownOwner(what: 'user' | 'group', name: string): ProblemError {
  return refusal('file.unknown-owner', `this host has no ${what} ${name}`);
}

async function ask(system: SystemReader, database: 'passwd' | 'group', ...keys: string[]) {
  if (keys.some((key) => key === '' || /[\0\n:]/.test(key))) return undefined;
  try {
    const { status, stdout } = await system.query(nameService(database, ...keys));
    return status === 0 ? stdout : undefined;
  } catch (error) {
    if (error instanceof ProblemError && error.problem.code === 'command.not-found') return undefined;
    throw error;
  }
}

function entries(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => /^[^#+:-][^:]*:/.test(line))
    .map((line) => line.split(':'));
}

function isId(text: string): boolean {
  return /^\d{1,10}$/.test(text);
}
