/**
 * How an account differs from what is wanted, and the program that makes it so.
 * Invariant: what is left out is not compared; argv and changes come from the same comparison.
 * Pure: databases come in as data.
 */

import { type Change, makeChange } from '../protocol/change.ts';
import type { UserShape } from '../protocol/shapes/account.ts';
import type { Account, UnixGroup } from '../system/system.ts';

/** One property to change, with usermod's options for it. */
export interface Difference {
  readonly change: Change;
  readonly options: readonly string[];
}

/** What is, what is wanted, and further options that the change needs. */
type Compared = readonly [string, string | undefined, ...string[]];

/** Everything usermod would have to change. `movesHome`: the old home exists and the new one does not. */
export function differences(
  wanted: UserShape,
  account: Account,
  context: { readonly groups: readonly UnixGroup[]; readonly movesHome: boolean },
): readonly Difference[] {
  const primary = context.groups.find(({ gid }) => gid === account.gid)?.name ?? String(account.gid);
  const found: Difference[] = [];
  const compare = (property: string, option: string, [from, to, ...more]: Compared): void => {
    if (to === undefined || to === from) return;
    found.push({ change: makeChange('update', property, from, to), options: [option, to, ...more] });
  };
  compare('uid', '-u', [String(account.uid), wanted.uid?.toString()]);
  compare('group', '-g', [primary, wanted.group]);
  compare('comment', '-c', [account.comment, wanted.comment]);
  compare('shell', '-s', [account.shell, wanted.shell]);
  compare('home', '-d', [account.home, wanted.home, ...(context.movesHome ? ['-m'] : [])]);
  const supplementary = groupDifference(wanted, context.groups, wanted.group ?? primary);
  return supplementary ? [...found, supplementary] : found;
}

/** The argv that makes an account. `sameNamed`: a group of the account's name exists already. */
export function useraddArgv(wanted: UserShape, sameNamed: boolean): readonly string[] {
  const group = wanted.group ?? (sameNamed ? wanted.user : undefined);
  const option = (name: string, value: string | undefined) => (value === undefined ? [] : [name, value]);
  return [
    'useradd',
    ...option('-u', wanted.uid?.toString()),
    ...option('-g', group),
    ...option('-G', wanted.groups?.length ? wanted.groups.join(',') : undefined),
    ...option('-c', wanted.comment),
    ...option('-d', wanted.home),
    ...option('-s', wanted.shell),
    ...(wanted.system ? ['-r'] : []),
    wanted.createHome ? '-m' : '-M',
    wanted.user,
  ];
}

function groupDifference(
  wanted: UserShape,
  groups: readonly UnixGroup[],
  primary: string,
): Difference | undefined {
  if (!wanted.groups) return undefined;
  const current = groups
    .filter(({ name, members }) => name !== primary && members.includes(wanted.user))
    .map(({ name }) => name);
  const wish = wanted.groups.filter((name) => name !== primary);
  const missing = wish.filter((name) => !current.includes(name));
  const appends = wanted.appendGroups;
  const surplus = appends ? [] : current.filter((name) => !wish.includes(name));
  if (missing.length + surplus.length === 0) return undefined;
  const target = appends ? [...current, ...missing] : wish;
  const change = makeChange('update', 'groups', [...current].sort().join(','), [...target].sort().join(','));
  return { change, options: appends ? ['-a', '-G', missing.join(',')] : ['-G', wish.join(',')] };
}
