/**
 * Mode, owner and group as separate changes.
 * Invariant: only what the resource names is compared; an unknown name is an error unless a dry run would make it first.
 * Reads only.
 */

import { type Change, changeKey } from '../protocol/change.ts';
import { findGid, findUid, unknownOwner } from '../system/accounts.ts';
import type { FileStat, Ownership, SystemReader } from '../system/system.ts';
import { type Unknown, vagueMaker } from './path-state.ts';
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
    changes.push({ action: 'update', property: label(property), from, to });
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

/** Whether owner and group exist, for something not there yet. Throws file.unknown-owner. */
export async function checkOwners(
  system: SystemReader,
  ownership: Ownership,
  context: CheckContext,
): Promise<Unknown | undefined> {
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
  const uid = owner === undefined ? undefined : ((await findUid(system, owner)) ?? null);
  const gid = group === undefined ? undefined : ((await findGid(system, group)) ?? null);
  if (uid === null) {
    const missing = explainMissing('user', owner ?? '', context);
    if (missing !== undefined) return missing;
  }
  if (gid === null) {
    const missing = explainMissing('group', group ?? '', context);
    if (missing !== undefined) return missing;
  }
  return { uid, gid };
}

/** Undefined when a pending resource makes the account (a user brings a group of its name); unknown when something may. */
function explainMissing(what: 'user' | 'group', name: string, context: CheckContext): Unknown | undefined {
  const made = context.pending.some(
    ({ kind, wanted }) =>
      (kind === 'user' && wanted.user === name && wanted.state === 'present') ||
      (kind === 'group' && what === 'group' && wanted.group === name && wanted.state === 'present'),
  );
  if (made) return undefined;
  const maker = vagueMaker(context);
  if (maker !== undefined) return { unknown: `the ${what} ${name} does not exist yet; ${maker} may make it` };
  throw unknownOwner(what, name);
}
