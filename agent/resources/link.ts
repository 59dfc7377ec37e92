/**
 * Kind `link`: one symbolic link.
 * Invariant: an existing link changes its target atomically; something of another type goes only with `force`.
 * Never looks at where the link leads.
 */

import { type Change, makeChange } from '../protocol/change.ts';
import { refusal } from '../protocol/problem-codes.ts';
import type { LinkShape } from '../protocol/shapes/link.ts';
import type { FileStat, SystemReader } from '../system/system.ts';
import { absentToPresent, checkParent, removal, wrongType } from './path-state.ts';
import { cleanPath, foreseeing } from './pending.ts';
import type { CheckContext, Resource } from './resource.ts';

export const linkResource: Resource<'link'> = {
  check: foreseeing(async (system, wanted, context) => {
    const path = cleanPath(wanted.path);
    const stat = await system.stat(path);
    if (stat && stat.type !== 'link' && !wanted.force) {
      throw wrongType(path, stat.type, 'a symbolic link');
    }
    if (wanted.state === 'absent') return stat ? [removal(stat)] : [];
    return differences(system, { path, stat, target: targetOf(wanted) }, context);
  }),

  async apply(system, wanted, changes) {
    const path = cleanPath(wanted.path);
    const stat = await system.stat(path);
    const removes = changes.some((change) => change.action === 'remove');
    // A directory cannot be replaced in one step; everything else can.
    if (stat && (removes || stat.type === 'directory')) {
      await system.remove(path, { recursive: wanted.force });
    }
    if (!removes) await system.makeLink(path, targetOf(wanted));
    return undefined;
  },
};

async function differences(
  system: SystemReader,
  link: { readonly path: string; readonly stat: FileStat | undefined; readonly target: string },
  context: CheckContext,
): Promise<readonly Change[]> {
  const { path, stat, target } = link;
  if (!stat) {
    await checkParent(system, path, context);
    return [{ ...absentToPresent, to: `link to ${target}` }];
  }
  if (stat.type !== 'link') {
    return [makeChange('update', 'state', stat.type, `link to ${target}`)];
  }
  const found = await system.readLink(path);
  return found === target ? [] : [makeChange('update', 'target', found, target)];
}

function targetOf(wanted: LinkShape): string {
  if (wanted.target) return wanted.target;
  throw refusal('resource.failed', `the link ${wanted.path} has no target`);
}
