/**
 * `package`: the host's own package manager decides which family does the work.
 * Invariant: a host whose manager has no family here gets package.unsupported, in a dry run too.
 * Never knows a manager's commands.
 */

import { refusal } from '../../protocol/problem-codes.ts';
import type { SystemReader } from '../../system/system.ts';
import type { Resource } from '../resource.ts';
import { aptManager } from './apt.ts';
import type { PackageManager } from './manager.ts';

/** The families: facts.packageManager → who does it. */
const managers: Readonly<Record<string, PackageManager>> = {
  apt: aptManager,
};

/** One package, present (in a version), latest or absent. */
export const packageResource: Resource<'package'> = {
  async guard(system, wanted) {
    await managerOf(system).refresh(system, wanted);
    return true;
  },

  check: async (system, wanted, context) => managerOf(system).check(system, wanted, context),

  async apply(system, wanted, changes) {
    await managerOf(system).applyTogether(system, [{ wanted, changes }]);
    return undefined;
  },

  applyTogether: async (system, items) => managerOf(system).applyTogether(system, items),

  observe: async (system, wanted) => managerOf(system).observe(system, wanted),
};

function managerOf(system: SystemReader): PackageManager {
  const name = system.facts.packageManager ?? 'none';
  const manager = managers[name];
  if (manager) return manager;
  const what = name === 'none' ? 'no known package manager' : `the package manager ${name}`;
  throw refusal('package.unsupported', `this host has ${what}, which Towline cannot drive`);
}
