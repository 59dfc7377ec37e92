/**
 * Fact `initSystem`: what runs the services now, not what is installed.
 * Invariant: systemd counts only where it is process 1 (its run directory exists).
 * Pure.
 */

import type { Fact, FactExample } from './fact.ts';

export const initSystem: Fact<'initSystem'> = {
  probes: ['/run/systemd/system', '/run/openrc', '/etc/inittab'],
  parse({ present }) {
    if (present.includes('/run/systemd/system')) return 'systemd';
    if (present.includes('/run/openrc')) return 'openrc';
    return present.includes('/etc/inittab') ? 'sysvinit' : 'none';
  },
};

export const initSystemExample: FactExample<'initSystem'> = {
  observed: { present: ['/run/systemd/system'] },
  value: 'systemd',
};
