/**
 * Waits until hosts have heard that what they did is recorded: they remove their journals then, a moment after a run is over.
 * Invariant: fails when a host never hears.
 * Never used while a run goes on.
 */

import { setTimeout } from 'node:timers/promises';
import type { Fleet } from '../../fleet/fleet.ts';

export async function recorded(fleet: Fleet): Promise<void> {
  const keeps = (): boolean =>
    fleet.hosts.some((host) =>
      [...host.overlayTree().keys()].some((path) => path.startsWith('/var/lib/towline')),
    );
  for (let tries = 0; tries < 200; tries += 1) {
    if (!keeps()) return;
    await setTimeout(50);
  }
  throw new Error('a host keeps its journal');
}
