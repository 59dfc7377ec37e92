/**
 * `group`: one group of the host.
 * Invariant: only what is given is compared; an id that another group has is account.conflict before anything is done.
 * Never touches members: those belong to `user`.
 */

import { type Change, makeChange } from '../protocol/change.ts';
import type { GroupShape } from '../protocol/shapes/account.ts';
import { findGroup } from '../system/accounts.ts';
import { refuseTaken, runAccountTool } from './account-tool.ts';
import type { Resource } from './resource.ts';

/** A group with its id, or none. */
export const groupResource: Resource<'group'> = {
  async check(system, wanted) {
    const groups = await system.groups();
    const known = groups.find(({ name }) => name === wanted.group);
    if (wanted.state === 'absent') return known ? [makeChange('remove', 'group')] : [];
    const holder = groups.find(({ name, gid }) => gid === wanted.gid && name !== wanted.group);
    refuseTaken(holder, `group ${wanted.group}`, wanted.gid);
    if (!known) return [makeChange('create', 'group')];
    if (wanted.gid === undefined || wanted.gid === known.gid) return [];
    return [makeChange('update', 'gid', String(known.gid), String(wanted.gid))];
  },

  async apply(system, wanted, changes) {
    for (const change of changes) await runAccountTool(system, argvFor(wanted, change));
    return undefined;
  },

  async observe(system, wanted) {
    const known = await findGroup(system, wanted.group);
    return { gid: known?.gid ?? null };
  },
};

function argvFor(wanted: GroupShape, { action }: Change): readonly string[] {
  const gid = wanted.gid === undefined ? [] : ['-g', String(wanted.gid)];
  switch (action) {
    case 'remove':
      return ['groupdel', wanted.group];
    case 'create':
      return ['groupadd', ...(wanted.system ? ['-r'] : []), ...gid, wanted.group];
    default:
      return ['groupmod', ...gid, wanted.group];
  }
}
