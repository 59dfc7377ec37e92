/**
 * Kind `directory`: one directory, or a tree of files from the policy below it.
 * Invariant: apply takes exactly the announced steps; purge touches only what lies below the path.
 * Never follows a link, never replaces something of another type except below a purged path.
 */

import { changeKey } from '../protocol/change.ts';
import { refusal } from '../protocol/problem-codes.ts';
import type { DirectoryShape } from '../protocol/shapes/directory.ts';
import { join } from '../system/platform.ts';
import type { SystemReader } from '../system/system.ts';
import { ownershipSteps, planTree, type Step } from './directory-tree.ts';
import { checkPlace } from './ownership-changes.ts';
import { absentToPresent, removal, wrongType } from './path-state.ts';
import { cleanPath, foreseeing, Unforeseen } from './pending.ts';
import type { CheckContext, Resource } from './resource.ts';

export const directoryResource: Resource<'directory'> = {
  check: foreseeing(async (system, wanted, context) => {
    const steps = await plan(system, wanted, context);
    return steps.map((step) => step.change);
  }),

  async apply(system, wanted, changes, context) {
    const announced = new Set(changes.map(changeKey));
    for (const step of await plan(system, wanted, context)) {
      if (announced.has(changeKey(step.change))) await step.act(system);
    }
    return undefined;
  },
};

async function plan(
  system: SystemReader,
  wanted: DirectoryShape,
  context: CheckContext,
): Promise<readonly Step[]> {
  const path = cleanPath(wanted.path);
  const stat = await system.stat(path);
  if (stat && stat.type !== 'directory') throw wrongType(path, stat.type, 'a directory');
  if (wanted.state === 'absent') {
    if (!stat) return [];
    await checkRemovable(system, path, wanted, context);
    const act: Step['act'] = (hands) => hands.remove(path, { recursive: wanted.force });
    return [{ change: removal(stat), act }];
  }
  const own = stat
    ? await ownershipSteps(system, { path, stat }, wanted, context)
    : await creation(system, path, wanted, context);
  return [...own, ...(await planTree(system, { path, exists: stat !== undefined }, wanted, context))];
}

async function creation(
  system: SystemReader,
  path: string,
  wanted: DirectoryShape,
  context: CheckContext,
): Promise<readonly Step[]> {
  await checkPlace(system, path, wanted, context);
  const { owner, group, mode } = wanted;
  const change = { ...absentToPresent, to: 'directory' };
  return [{ change, act: (hands) => hands.makeDirectory(path, { owner, group, mode }) }];
}

/** Without force only an empty directory goes; a dry run does not know whether what is pending empties it. */
async function checkRemovable(
  system: SystemReader,
  path: string,
  wanted: DirectoryShape,
  context: CheckContext,
): Promise<void> {
  if (wanted.force) return;
  const [first] = await system.list(path);
  if (first === undefined) return;
  const below = context.pending.find(
    ({ wanted: other }) =>
      'path' in other && other.state === 'absent' && cleanPath(other.path ?? '').startsWith(`${path}/`),
  );
  if (below) throw new Unforeseen(`it is not empty; ${below.id} would remove something below it`);
  throw refusal(
    'resource.failed',
    `${path} is not empty (it holds ${join(path, first)}); set force to remove it with all it holds`,
  );
}
