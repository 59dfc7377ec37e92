/**
 * From nothing until the agents of 1, 10 and 50 hosts are ready, beside Mitogen's library, and what an agent weighs.
 * Invariant: every round opens new connections and starts new agents; the bundle of the agent is made before; both sides take turns.
 * Never converges anything.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { agentBundle } from '../../reconciler/connection/agent-bundle.ts';
import { type Fleet, upFleet } from '../fleet/fleet.ts';
import { must } from '../fleet/run.ts';
import { type Bench, type BenchContext, type Figure, median } from './bench.ts';
import { openLines } from './open-lines.ts';

const rounds = 3;
/** MiB, measured last; a fifth more fails. */
const idleAgentMemory = 46;

export const coldConnect50: Bench = {
  name: 'cold-connect-50',
  summary: 'new connections until all agents are ready, and the memory of an idle agent',
  minutes: 3,
  parts: [1, 10, 50].map((count) => (context) => measure(count, context)),
};

async function measure(count: number, { peers }: BenchContext): Promise<readonly Figure[]> {
  const { compressed } = await agentBundle();
  const fleet = await upFleet({ count });
  try {
    const [times, memory, theirs]: [number[], number[], number[]] = [[], [], []];
    for (let round = 0; round <= rounds; round += 1) {
      const { milliseconds, residentBytes } = await connectAll(fleet);
      if (round > 0) times.push(milliseconds);
      memory.push(residentBytes);
      if (peers.mitogenStrategies !== undefined && round < rounds) theirs.push(await mitogen(fleet));
    }
    const beside = theirs.length === 0 ? {} : { Mitogen: median(theirs) };
    const [name, value] = [
      `${count === 1 ? '1 host' : `${count} hosts`}, until all agents are ready`,
      median(times),
    ];
    const growth = { line: 'until agents are ready', of: 'connecting', at: count };
    const figure: Figure = { name, value, unit: 'ms', beside, growth, budget: { of: 'Mitogen', share: 1 } };
    if (count > 1) return [figure];
    return [
      figure,
      {
        ...{ name: 'resident memory of an idle agent', value: median(memory) / 2 ** 20, unit: 'MiB' },
        budget: { most: idleAgentMemory * 1.2 },
      },
      { name: 'the agent on the wire', value: compressed.length, unit: 'B' },
    ];
  } finally {
    await fleet.down();
  }
}

async function connectAll(fleet: Fleet): Promise<{ milliseconds: number; residentBytes: number }> {
  const { milliseconds, end } = await openLines(fleet);
  const [pid] = fleet.hosts[0]?.agentPids() ?? [];
  const residentBytes = residentOf(pid ?? process.pid);
  await end();
  return { milliseconds, residentBytes };
}

async function mitogen(fleet: Fleet): Promise<number> {
  const input = JSON.stringify({
    ...{ user: 'root', key: fleet.clientKeyFile },
    hosts: fleet.hosts.map((host) => host.address),
  });
  const script = join(import.meta.dirname, 'peers/mitogen-connect.py');
  const said = await must('/usr/bin/python3', [script], { input, timeoutMs: 90_000 });
  const { milliseconds, failures } = JSON.parse(said) as { milliseconds: number; failures: string[] };
  if (failures.length > 0) throw new Error(`Mitogen: ${failures[0]}`);
  return milliseconds;
}

function residentOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}
