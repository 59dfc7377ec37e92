/**
 * Fact `initSystem`: what runs the services now, not what is installed.
 * Invariant: systemd counts only where it is process 1 (its run directory exists).
 * Pure.
 */

import { type Fact, type FactExample, firstSign, pathsOf } from './fact.ts';

const signs = [
  ['/run/systemd/system', 'systemd'],
  ['/run/openrc', 'openrc'],
  ['/etc/inittab', 'sysvinit'],
] as const;

export const initSystem: Fact<'initSystem'> = {
  probes: pathsOf(signs),
  parse: (observed) => firstSign(signs, observed) ?? 'none',
};

export const initSystemExample: FactExample<'initSystem'> = {
  observed: { present: ['/run/systemd/system'] },
  value: 'systemd',
};
