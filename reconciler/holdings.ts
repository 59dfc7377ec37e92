/**
 * Reads which hosts each environment has when a reconciler begins: from what is in force, or else from the branches.
 * Invariant: with one environment nothing is read; what cannot be read holds nothing, and its own run says why.
 * Never decides who is refused.
 */

import type { Holding } from './claims.ts';
import type { Environments } from './environments.ts';
import type { Environment } from './policy/environment.ts';
import type { Store } from './state/store.ts';
import { readInventory } from './steps/read-inventory.ts';
import type { Services } from './steps/run.ts';

/** What reading the holdings needs. */
export interface HoldingsSources {
  readonly environments: Pick<Environments, 'discover'>;
  readonly store: Pick<Store, 'environments'>;
  readonly snapshot: Services['snapshot'];
}

/** Reads who holds what. */
export async function readHoldings(sources: HoldingsSources): Promise<readonly Holding[]> {
  const { environments } = await sources.environments.discover();
  if (environments.length < 2) return [];
  return Promise.all(
    environments.map(async (environment): Promise<Holding> => {
      const commit = (await sources.store.environments.get(environment.name))?.lastGood?.id;
      const inForce = commit === undefined ? undefined : await hostsAt(sources, environment, commit);
      const hosts = inForce ?? (await hostsAt(sources, environment)) ?? [];
      return { environment: environment.name, isInForce: commit !== undefined, hosts };
    }),
  );
}

/** The hosts of an environment's inventory at a commit, or at its branch's head. */
async function hostsAt(
  { snapshot }: HoldingsSources,
  { branch, inventory: path }: Environment,
  commit?: string,
): Promise<Iterable<string> | undefined> {
  const tree = await snapshot(branch, commit);
  if (!tree.ok) return undefined;
  const inventory = await readInventory(tree.value, path, undefined);
  return inventory.ok ? inventory.value.hosts.keys() : undefined;
}
