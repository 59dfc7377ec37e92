/**
 * Lines to the hosts of a fleet, held in this process.
 * Invariant: every line is open when it is given; `end` closes all.
 * Never measures.
 */

import { connectionFor } from '../../inventory/connection.ts';
import { loadInventory } from '../../inventory/load.ts';
import { ConnectionPool, poolOptions } from '../../reconciler/connection/pool.ts';
import type { HostSession } from '../../reconciler/connection/session.ts';
import type { Fleet } from '../fleet/fleet.ts';
import { timed } from './bench.ts';
import { must } from './planner.ts';

export interface OpenLines {
  readonly sessions: readonly HostSession[];
  /** Until all of them were ready. */
  readonly milliseconds: number;
  end(): Promise<void>;
}

/** Opens a line to every host, all at once, as root. */
export async function openLines(fleet: Fleet): Promise<OpenLines> {
  const text = fleet.inventoryToml({ user: 'root' });
  const loaded = loadInventory([{ path: 'inventory.toml', text }]);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const specs = fleet.hosts.map((host) => must(connectionFor(loaded.value, host.name, {})));
  const pool = new ConnectionPool(poolOptions(() => {}));
  let sessions: readonly HostSession[] = [];
  const milliseconds = await timed(async () => {
    sessions = (await Promise.all(specs.map((spec) => pool.open(spec)))).map(must);
  });
  return { sessions, milliseconds, end: () => pool.close('the bench is done') };
}
