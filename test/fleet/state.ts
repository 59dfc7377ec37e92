/**
 * The fleet's state file and how a fleet is taken down from it.
 * Invariant: everything a fleet leaves outside its processes can be removed from this file alone, by any later process.
 * Never removes a fleet whose owner still runs, unless told to.
 */

import { existsSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Link, type Network, razeNetwork } from './network.ts';
import { alive, end, endCarriers, type ProcessId, processesInNetworks } from './process.ts';
import { run } from './run.ts';

export interface FleetState {
  readonly id: string;
  readonly folder: string;
  readonly network: Network;
  readonly links: readonly Link[];
  /** The carriers of each host: keeper, then first process. */
  readonly carriers: readonly (readonly ProcessId[])[];
  /** The process the fleet belongs to; none for one started from the command line, which stays. */
  readonly owner?: ProcessId | undefined;
}

const prefix = 'towline-fleet-';

export function fleetFolder(id: string): string {
  return join(tmpdir(), `${prefix}${id}`);
}

/** Written beside and renamed, so that a reader never sees half of it. */
export function writeState(state: FleetState): void {
  const file = join(state.folder, 'state.json');
  writeFileSync(`${file}.new`, JSON.stringify(state, null, 2));
  renameSync(`${file}.new`, file);
}

/** Every fleet on this machine that has a state file. */
export function readStates(): FleetState[] {
  return readdirSync(tmpdir())
    .filter((name) => name.startsWith(prefix))
    .flatMap((name) => readState(join(tmpdir(), name, 'state.json')));
}

/** None where the fleet is being raised or taken down by another process just now. */
function readState(file: string): FleetState[] {
  try {
    return [JSON.parse(readFileSync(file, 'utf8')) as FleetState];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Takes down fleets whose owner died without doing it. */
export async function sweepAbandoned(): Promise<void> {
  for (const state of readStates())
    if (state.owner !== undefined && !alive(state.owner)) await dismantle(state);
}

/** Ends the hosts and removes network, mount and folder. Running it twice is harmless. */
export async function dismantle(state: FleetState): Promise<void> {
  await Promise.all(state.carriers.map(endCarriers));
  const names = state.links.map((link) => link.namespace);
  for (const id of processesInNetworks(names)) await end(id);
  await razeNetwork(state.network, state.links);
  if (!existsSync(state.folder)) return;
  const unmounted = await run('umount', [state.folder]);
  // Something may still look at a file in it; the mount then goes when that ends.
  if (unmounted.status !== 0) await run('umount', ['--lazy', state.folder]);
  if (readdirSync(state.folder).length > 0) rmSync(state.folder, { recursive: true });
  else rmdirSync(state.folder);
}
