/**
 * Mode, owner and group as separate changes.
 * Invariant: only what the resource names is compared; an unknown name is an error unless a dry run would make it first.
 * Reads only.
 */

import { type Change, makeChange } from '../protocol/change.ts';
import { type Ids, resolveIds, unknownOwner } from '../system/accounts.ts';
import type { FileStat, Ownership, System, SystemReader } from '../system/system.ts';
import { checkParent } from './path-state.ts';
import { Unforeseen, vagueMaker } from './pending.ts';
import type { CheckContext } from './resource.ts';

/** The differences between what is there and the wanted ownership; `label` names the properties. */
export async function ownershipChanges(
  system: SystemReader,
  stat: FileStat,
  wanted: { readonly ownership: Ownership; readonly label?: (property: string) => string },
  context: CheckContext,
): Promise<Change[]> {
  const { ownership, label = (property) => property } = wanted;
  const ids = await wantedIds(system, ownership, context);
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

/** Something new can be put at `path` for these owners. Throws file.unknown-owner and what checkParent does. */
export async function checkPlace(
  system: SystemReader,
  path: string,
  ownership: Ownership,
  context: CheckContext,
): Promise<void> {
  await checkParent(system, path, context);
  await wantedIds(system, ownership, context);
}

/** Sets the part of an ownership that was announced. */
export async function applyOwnership(
  system: System,
  path: string,
  ownership: Ownership,
  changes: readonly Change[],
): Promise<void> {
  const announced = (['owner', 'group', 'mode'] as const)
    .filter((wanted) => changes.some(({ property }) => property === wanted))
    .map((property) => [property, ownership[property]]);
  if (announced.length > 0) await system.setOwnership(path, Object.fromEntries(announced));
}

/** An id that is null is one a dry run would make first. */
function wantedIds(system: SystemReader, ownership: Ownership, { pending }: CheckContext): Promise<Ids> {
  return resolveIds(system, ownership, (what, name) => explainMissing(what, name, pending));
}

/** Throws, unless a pending resource makes the account (a user brings a group of its name). */
function explainMissing(what: 'user' | 'group', name: string, pending: CheckContext['pending']): void {
  const isMade = pending.some(
    ({ kind, wanted }) =>
      (kind === 'user' && wanted.user === name && wanted.state === 'present') ||
      (kind === 'group' && what === 'group' && wanted.group === name && wanted.state === 'present'),
  );
  if (isMade) return;
  const maker = vagueMaker(pending);
  if (maker === undefined) throw unknownOwner(what, name);
  throw new Unforeseen(`the ${what} ${name} does not exist yet; ${maker} may make it`);
}
