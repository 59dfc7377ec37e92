/**
 * Waits until nothing moves on the hosts' cables: connections that were closed a moment ago may still say goodbye.
 * Invariant: ends when no byte moved for a while, and fails when that never happens.
 * Never used while a reconciler holds lines: they beat.
 */

import { setTimeout } from 'node:timers/promises';
import type { Fleet } from '../../fleet/fleet.ts';

export async function quiet(fleet: Fleet): Promise<void> {
  const traffic = (): string => JSON.stringify(fleet.hosts.map((host) => host.bytes()));
  for (let tries = 0; tries < 50; tries += 1) {
    const before = traffic();
    await setTimeout(300);
    if (traffic() === before) return;
  }
  throw new Error('the hosts do not come to rest');
}
