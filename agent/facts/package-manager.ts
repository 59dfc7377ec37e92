/**
 * Fact `packageManager`: which package manager the host has.
 * Invariant: the first of the list wins, so that a foreign tool beside the native one does not count.
 * Pure.
 */

import { type Fact, type FactExample, firstSign, pathsOf } from './fact.ts';

const programs = [
  ['/usr/bin/apt-get', 'apt'],
  ['/usr/bin/dnf', 'dnf'],
  ['/usr/bin/yum', 'yum'],
  ['/sbin/apk', 'apk'],
  ['/usr/bin/apk', 'apk'],
  ['/usr/bin/pacman', 'pacman'],
  ['/usr/bin/zypper', 'zypper'],
] as const;

export const packageManager: Fact<'packageManager'> = {
  probes: pathsOf(programs),
  parse: (observed) => firstSign(programs, observed) ?? 'none',
};

export const packageManagerExample: FactExample<'packageManager'> = {
  observed: { present: ['/usr/bin/apt-get'] },
  value: 'apt',
};
