/**
 * `authorizedKey`: one public key that may log in as a user.
 * Invariant: writes only where the user's own rights would do: no link, nothing that another account owns.
 * Never changes a line of another key, unless the key is exclusive.
 */

import { type Change, makeChange } from '../protocol/change.ts';
import { refusal } from '../protocol/problem-codes.ts';
import type { AuthorizedKeyShape } from '../protocol/shapes/account.ts';
import { findAccount, unknownOwner } from '../system/accounts.ts';
import { dirname } from '../system/platform.ts';
import { readText } from '../system/read-text.ts';
import type { Account, FileStat, SystemReader } from '../system/system.ts';
import { editKeys, type KeyEdit, parseKeyLine } from './key-lines.ts';
import type { Resource } from './resource.ts';

/** A key in a user's authorized_keys file, or not in it. */
export const authorizedKeyResource: Resource<'authorizedKey'> = {
  async check(system, wanted, { pending }) {
    if (!parseKeyLine(wanted.key)) {
      throw refusal('account.bad-key', `the key for ${wanted.user} is not a public key of OpenSSH`);
    }
    const account = await findAccount(system, wanted.user);
    if (!account) {
      if (wanted.state === 'absent') return [];
      const isComing = pending.some((each) => each.kind === 'user' && each.wanted.user === wanted.user);
      if (isComing) return [makeChange('create', 'key')];
      throw unknownOwner('user', wanted.user);
    }
    const place = await inspect(system, wanted, account);
    const before = await readKeys(system, place);
    return keyChanges(before, editKeys(before, wanted), wanted);
  },

  async apply(system, wanted) {
    const account = await findAccount(system, wanted.user);
    if (!account) throw unknownOwner('user', wanted.user);
    const place = await inspect(system, wanted, account);
    const ids = { owner: String(account.uid), group: String(account.gid) };
    if (!place.directoryStat && wanted.path === undefined) {
      await system.makeDirectory(place.directory, { ...ids, mode: '0700' });
    }
    const { text } = editKeys(await readKeys(system, place), wanted);
    // A file of root in a directory of root (as /etc/ssh/keys) stays root's, readable as it was.
    const isRoots = place.fileStat && place.fileStat.uid !== account.uid;
    await system.replaceFile(place.path, { text }, isRoots ? {} : { ...ids, mode: '0600' });
    return undefined;
  },
};

interface KeyPlace {
  readonly path: string;
  readonly directory: string;
  readonly directoryStat: FileStat | undefined;
  readonly fileStat: FileStat | undefined;
}

/**
 * Looks at the file and its directory without following links. A user who could make either of them something else
 * would have root write, or read out, a place of the user's choice.
 */
async function inspect(
  system: SystemReader,
  wanted: AuthorizedKeyShape,
  account: Account,
): Promise<KeyPlace> {
  const path = wanted.path ?? `${account.home.replace(/\/+$/, '')}/.ssh/authorized_keys`;
  const directory = dirname(path);
  const [directoryStat, fileStat] = [await system.stat(directory), await system.stat(path)];
  const refuse = (which: string, why: string): never => {
    throw refusal('account.unsafe-keys', `the keys of ${wanted.user} are not touched: ${which} ${why}`);
  };
  if (directoryStat) {
    if (directoryStat.type !== 'directory') refuse(directory, 'is not a plain directory');
    if (![0, account.uid].includes(directoryStat.uid)) refuse(directory, 'belongs to another account');
  }
  if (fileStat) {
    if (fileStat.type !== 'file') refuse(path, 'is not a plain file');
    const isRoots = fileStat.uid === 0 && directoryStat?.uid === 0;
    if (fileStat.uid !== account.uid && !isRoots) refuse(path, 'belongs to another account');
  }
  return { path, directory, directoryStat, fileStat };
}

async function readKeys(system: SystemReader, { path, fileStat }: KeyPlace): Promise<string> {
  return fileStat ? readText(system, path) : '';
}

function keyChanges(before: string, edit: KeyEdit, wanted: AuthorizedKeyShape): readonly Change[] {
  const changes: Change[] = [];
  if (wanted.state === 'absent') {
    if (edit.isPresent) changes.push(makeChange('remove', 'key'));
    return changes;
  }
  if (!edit.isPresent) changes.push(makeChange('create', 'key'));
  if (edit.others > 0) changes.push(makeChange('remove', 'other keys', String(edit.others)));
  if (changes.length === 0 && edit.text !== before && edit.text !== `${before}\n`) {
    changes.push(makeChange('update', 'key'));
  }
  return changes;
}
