/**
 * Mode, owner and group as separate changes.
 * Invariant: only what the resource names is compared; an unknown name is an error unless a dry run would make it first.
 * Reads only.
 */

import { type Change, changeKey, makeChange } from '../protocol/change.ts';
import { findId, unknownOwner } from '../system/accounts.ts';
import type { FileStat, Ownership, SystemReader } from '../system/system.ts';
import { checkParent, type Unknown } from './path-state.ts';
import { vagueMaker } from './pending.ts';
import type { CheckContext } from './resource.ts';

/** Ids of the wanted owner and group; null: a dry run would make the account first. */
interface WantedIds {
  readonly uid: number | null | undefined;
  readonly gid: number | null | undefined;
}

/** The differences between what is there and the wanted ownership; `label` names the properties. */
export async function ownershipChanges(
  system: SystemReader,
  stat: FileStat,
  wanted: { readonly ownership: Ownership; readonly label?: (property: string) => string },
  context: CheckContext,
): Promise<Change[] | Unknown> {
  const { ownership, label = (property) => property } = wanted;
  const ids = await wantedIds(system, ownership, context);
  if ('unknown' in ids) return ids;
  const changes: Change[] = [];
  const add = (property: string, from: string, to: string): void => {
    changes.push(makeChange('update', label(property), from, to));
  };
  if (ids.uid !== undefined && ids.uid !== stat.uid) {
    const name = (await system.accounts()).find(({ uid }) => uid === stat.uid)?.name;
    add('owner', name ?? String(stat.uid), ownership.owner ?? '');
  }
  if (ids.gid !== undefined && ids.gid !== stat.gid) {
    const name = (await system.groups()).find(({ gid }) => gid === stat.gid)?.name;
    add('group', name ?? String(stat.gid), ownership.group ?? '');
  }
  if (ownership.mode !== undefined && ownership.mode !== stat.mode) add('mode', stat.mode, ownership.mode);
  return changes;
}

/** Whether something new can be put at `path` for these owners: undefined when it can. Throws file.unknown-owner and what checkParent does. */
export async function checkPlace(
  system: SystemReader,
  path: string,
  ownership: Ownership,
  context: CheckContext,
): Promise<Unknown | undefined> {
  const blocked = await checkParent(system, path, context);
  if (blocked !== undefined) return blocked;
  const ids = await wantedIds(system, ownership, context);
  return 'unknown' in ids ? ids : undefined;
}

/** The part of an ownership that was announced. */
export function announcedOwnership(
  ownership: Ownership,
  changes: readonly Change[],
  label = (property: string) => property,
): Ownership | undefined {
  const keys = new Set(changes.map(changeKey));
  const picked = Object.fromEntries(
    (['owner', 'group', 'mode'] as const)
      .filter((property) => keys.has(`update ${label(property)}`))
      .map((property) => [property, ownership[property]]),
  );
  return Object.keys(picked).length === 0 ? undefined : picked;
}

async function wantedIds(
  system: SystemReader,
  { owner, group }: Ownership,
  context: CheckContext,
): Promise<WantedIds | Unknown> {
  const idOf = async (what: 'user' | 'group', name: string | undefined) =>
    name === undefined
      ? undefined
      : ((await findId(system, what, name)) ?? explainMissing(what, name, context));
  const [uid, gid] = [await idOf('user', owner), await idOf('group', group)];
  if (typeof uid === 'object' && uid !== null) return uid;
  if (typeof gid === 'object' && gid !== null) return gid;
  return { uid, gid };
}

/** Null when a pending resource makes the account (a user brings a group of its name); unknown when something may. */
function explainMissing(what: 'user' | 'group', name: string, context: CheckContext): Unknown | null {
  const made = context.pending.some(
    ({ kind, wanted }) =>
      (kind === 'user' && wanted.user === name && wanted.state === 'present') ||
      (kind === 'group' && what === 'group' && wanted.group === name && wanted.state === 'present'),
  );
  if (made) return null;
  const maker = vagueMaker(context.pending);
  if (maker !== undefined) return { unknown: `the ${what} ${name} does not exist yet; ${maker} may make it` };
  throw unknownOwner(what, name);
}
