/**
 * From nothing until the agents of 10 and of 30 hosts are ready, and what an agent weighs.
 * Invariant: every round opens new connections and starts new agents; the bundle of the agent is made before.
 * Never converges anything.
 */

import { readFileSync } from 'node:fs';
import { connectionFor } from '../../inventory/connection.ts';
import { loadInventory } from '../../inventory/load.ts';
import { agentBundle } from '../../reconciler/connection/agent-bundle.ts';
import { ConnectionPool, poolOptions } from '../../reconciler/connection/pool.ts';
import { type Fleet, upFleet } from '../fleet/fleet.ts';
import { type Bench, type Figure, median } from './bench.ts';
import { must } from './planner.ts';

const rounds = 3;

export const coldConnect: Bench = {
  name: 'cold-connect',
  summary: 'new connections until all agents are ready, and the memory of an idle agent',
  run: async () => [...(await measure(1)), ...(await measure(10)), ...(await measure(30))],
};

async function measure(count: number): Promise<readonly Figure[]> {
  const { compressed } = await agentBundle();
  const fleet = await upFleet({ count });
  try {
    const times: number[] = [];
    const memory: number[] = [];
    for (let round = 0; round <= rounds; round += 1) {
      const { milliseconds, residentBytes } = await connectAll(fleet);
      if (round > 0) times.push(milliseconds);
      memory.push(residentBytes);
    }
    const figures: Figure[] = [
      { name: `${count} hosts, until all agents are ready`, value: median(times), unit: 'ms' },
    ];
    if (count > 1) return figures;
    return [
      ...figures,
      { name: 'resident memory of an idle agent', value: median(memory) / 2 ** 20, unit: 'MiB' },
      { name: 'the agent on the wire', value: compressed.length, unit: 'B' },
    ];
  } finally {
    await fleet.down();
  }
}

async function connectAll(fleet: Fleet): Promise<{ milliseconds: number; residentBytes: number }> {
  const text = fleet.inventoryToml({ user: 'root' });
  const loaded = loadInventory([{ path: 'inventory.toml', text }]);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const specs = fleet.hosts.map((host) => must(connectionFor(loaded.value, host.name, {})));
  const pool = new ConnectionPool(poolOptions(() => {}));
  const startedAt = performance.now();
  const opened = await Promise.all(specs.map((spec) => pool.open(spec)));
  const milliseconds = performance.now() - startedAt;
  for (const session of opened) must(session);
  const [pid] = fleet.hosts[0]?.agentPids() ?? [];
  const residentBytes = residentOf(pid ?? process.pid);
  await pool.close('the bench is done');
  return { milliseconds, residentBytes };
}

function residentOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}
