/**
 * When each host of a drift run begins, so that not every host is looked at in the same moment.
 * Invariant: the same host has the same delay in every run; delays lie in [0, seconds) and fill it evenly.
 * Pure.
 */

import { hash } from 'node:crypto';

/** Milliseconds that a host waits before a drift run begins with it. */
export function spreadDelay(host: string, seconds: number): number {
  if (!(seconds > 0)) return 0;
  const mark = Number.parseInt(hash('sha256', host).slice(0, 12), 16);
  return Math.floor((mark / 2 ** 48) * seconds * 1000);
}
