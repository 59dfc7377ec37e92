/**
 * Fact `account`: who the agent is on this host.
 * Invariant: the effective account, so under become it is the one become leads to.
 * Pure.
 */

import type { Fact, FactExample } from './fact.ts';

export const account: Fact<'account'> = {
  parse({ node: { user } }) {
    return { user: user.name, uid: user.uid, gid: user.gid, home: user.home };
  },
};

export const accountExample: FactExample<'account'> = {
  observed: {},
  value: { user: 'root', uid: 0, gid: 0, home: '/root' },
};
