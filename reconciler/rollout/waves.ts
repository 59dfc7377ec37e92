/**
 * Splits a role's hosts into waves, and says how many failures a role may have.
 * Invariant: every host is in exactly one wave, in the order given; a share is of all hosts, rounded down, at least one.
 * Pure.
 */

import type { Share } from '../policy/model.ts';

/** Waves of hosts; the last size repeats; no sizes: one wave. */
export function splitWaves<T>(hosts: readonly T[], serial: readonly Share[]): readonly (readonly T[])[] {
  if (hosts.length === 0) return [];
  if (serial.length === 0) return [hosts];
  const waves: T[][] = [];
  for (let first = 0; first < hosts.length; ) {
    const size = Math.max(
      1,
      countOf(serial[Math.min(waves.length, serial.length - 1)] as Share, hosts.length),
    );
    waves.push(hosts.slice(first, first + size));
    first += size;
  }
  return waves;
}

/** Most hosts that may fail before nothing further is started. */
export function failureBudget(maxFailures: Share, hosts: number): number {
  return countOf(maxFailures, hosts);
}

function countOf(share: Share, all: number): number {
  return typeof share === 'number' ? share : Math.floor((Number.parseFloat(share) / 100) * all);
}
