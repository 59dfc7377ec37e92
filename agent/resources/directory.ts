/**
 * Kind `directory`: one directory, or a tree of files from the policy below it.
 * Invariant: apply takes exactly the announced steps; purge touches only what lies below the path.
 * Never follows a link, never replaces something of another type except below a purged path.
 */

import { join } from 'node:path';
import { changeKey } from '../protocol/change.ts';
import { refusal } from '../protocol/problem-codes.ts';
import type { DirectoryShape } from '../protocol/shapes/directory.ts';
import type { SystemReader } from '../system/system.ts';
import { planTree, type Step } from './directory-tree.ts';
import { checkPlace, ownershipChanges } from './ownership-changes.ts';
import { absentToPresent, removal, type Unknown, wrongType } from './path-state.ts';
import { cleanPath } from './pending.ts';
import type { CheckContext, Resource } from './resource.ts';

export const directoryResource: Resource<'directory'> = {
  async check(system, wanted, context) {
    const steps = await plan(system, wanted, context);
    return 'unknown' in steps ? steps : steps.map((step) => step.change);
  },

  async apply(system, wanted, changes, context) {
    const announced = new Set(changes.map(changeKey));
    const steps = await plan(system, wanted, context);
    if ('unknown' in steps) throw refusal('resource.failed', steps.unknown);
    for (const step of steps) {
      if (announced.has(changeKey(step.change))) await step.act(system);
    }
    return undefined;
  },
};

async function plan(
  system: SystemReader,
  wanted: DirectoryShape,
  context: CheckContext,
): Promise<readonly Step[] | Unknown> {
  const path = cleanPath(wanted.path);
  const stat = await system.stat(path);
  if (stat !== undefined && stat.type !== 'directory') throw wrongType(path, stat.type, 'a directory');
  if (wanted.state === 'absent') {
    if (stat === undefined) return [];
    const blocked = await checkRemovable(system, path, wanted, context);
    const remove: Step = {
      change: removal(stat),
      act: (hands) => hands.remove(path, { recursive: wanted.force === true }),
    };
    return blocked ?? [remove];
  }
  const own = stat === undefined ? await creation(system, path, wanted, context) : undefined;
  if (own !== undefined && 'unknown' in own) return own;
  const kept = stat && (await ownershipChanges(system, stat, { ownership: wanted }, context));
  if (kept !== undefined && 'unknown' in kept) return kept;
  const keeping = (kept ?? []).map((change): Step => {
    const property = change.property as 'owner' | 'group' | 'mode';
    return { change, act: (hands) => hands.setOwnership(path, { [property]: wanted[property] }) };
  });
  const tree = await planTree(system, { path, exists: stat !== undefined }, wanted, context);
  return 'unknown' in tree ? tree : [...(own ?? []), ...keeping, ...tree];
}

async function creation(
  system: SystemReader,
  path: string,
  wanted: DirectoryShape,
  context: CheckContext,
): Promise<readonly Step[] | Unknown> {
  const blocked = await checkPlace(system, path, wanted, context);
  const { owner, group, mode } = wanted;
  const change = { ...absentToPresent, to: 'directory' };
  return blocked ?? [{ change, act: (hands) => hands.makeDirectory(path, { owner, group, mode }) }];
}

/** Without force only an empty directory goes; a dry run does not know whether what is pending empties it. */
async function checkRemovable(
  system: SystemReader,
  path: string,
  wanted: DirectoryShape,
  context: CheckContext,
): Promise<Unknown | undefined> {
  if (wanted.force === true) return undefined;
  const [first] = await system.list(path);
  if (first === undefined) return undefined;
  const below = context.pending.find(
    ({ wanted: other }) =>
      'path' in other && other.state === 'absent' && cleanPath(other.path ?? '').startsWith(`${path}/`),
  );
  if (below !== undefined) return { unknown: `it is not empty; ${below.id} would remove something below it` };
  throw refusal(
    'resource.failed',
    `${path} is not empty (it holds ${join(path, first)}); set force to remove it with all it holds`,
  );
}
