/**
 * `service`: the host's init system decides which family does the work.
 * Invariant: a host whose init system has no family here gets service.unsupported, in a dry run too.
 * Never knows an init system's commands.
 */

import { refusal } from '../../protocol/problem-codes.ts';
import type { SystemReader } from '../../system/system.ts';
import type { Resource } from '../resource.ts';
import type { ServiceManager } from './manager.ts';
import { systemdManager } from './systemd.ts';

/** The families: facts.initSystem → who does it. */
const managers: Readonly<Record<string, ServiceManager>> = {
  systemd: systemdManager,
};

/** One unit: its state now, and what becomes of it at boot. */
export const serviceResource: Resource<'service'> = {
  check: async (system, wanted, context) => managerOf(system, wanted.unit).check(system, wanted, context),

  async apply(system, wanted, changes) {
    await managerOf(system, wanted.unit).apply(system, wanted, changes);
    return undefined;
  },

  verify: async (system, wanted, context) => managerOf(system, wanted.unit).verify(system, wanted, context),

  observe: async (system, wanted) => managerOf(system, wanted.unit).observe(system, wanted),
};

function managerOf(system: SystemReader, unit: string): ServiceManager {
  const name = system.facts.initSystem ?? 'none';
  const manager = managers[name];
  if (manager) return manager;
  const what = name === 'none' ? 'no init system' : `the init system ${name}`;
  throw refusal('service.unsupported', `${unit} cannot be managed: this host runs ${what}, not systemd`);
}
