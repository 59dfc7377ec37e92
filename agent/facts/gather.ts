/**
 * All facts of the host, at once.
 * Invariant: complete by type and ends within the limit; a fact that fails is null with a Problem beside it.
 * Never starts a program, never throws.
 */

import { deferred } from '../deferred.ts';
import type { FactName, Facts } from '../protocol/facts.ts';
import type { Problem } from '../protocol/problem.ts';
import { agentProblem } from '../protocol/problem-codes.ts';
import { account } from './account.ts';
import { custom } from './custom.ts';
import type { Fact, NodeKnowledge } from './fact.ts';
import { hardware } from './hardware.ts';
import { nodeKnowledge, observe } from './host-reader.ts';
import { initSystem } from './init-system.ts';
import { machineId } from './machine-id.ts';
import { mounts } from './mounts.ts';
import { network } from './network.ts';
import { os } from './os.ts';
import { packageManager } from './package-manager.ts';
import { uptime } from './uptime.ts';
import { virtualization } from './virtualization.ts';

export const factTable: { readonly [K in FactName]: Fact<K> } = {
  os,
  hardware,
  network,
  packageManager,
  initSystem,
  virtualization,
  mounts,
  account,
  uptime,
  machineId,
  custom,
};

/** Milliseconds for all facts together. */
const limit = 5000;

export interface GatherOptions {
  /** Ends the wait for facts that are not read yet; default after 5 seconds. */
  readonly signal?: AbortSignal | undefined;
  /** Stands in front of every path that is read. */
  readonly root?: string | undefined;
}

export interface Gathered {
  readonly facts: Facts;
  readonly problems: readonly Problem[];
}

/** Reads every fact. */
export async function gatherFacts(options: GatherOptions = {}): Promise<Gathered> {
  const { signal = AbortSignal.timeout(limit), root = '' } = options;
  const late = deferred<never>();
  const end = (): void => late.reject(new Error('it was not read in time'));
  if (signal.aborted) end();
  else signal.addEventListener('abort', end, { once: true });
  const problems: Problem[] = [];
  const node = nodeKnowledge();
  const names = Object.keys(factTable) as FactName[];
  const values = names.map(async (name) => {
    try {
      return [name, await Promise.race([late.promise, read(factTable[name], node, root)])] as const;
    } catch (error) {
      const message = `fact ${name}: ${(error as Error).message}`;
      problems.push(agentProblem('agent.no-facts', message));
      return [name, null] as const;
    }
  });
  const facts = Object.fromEntries(await Promise.all(values)) as Facts;
  return { facts, problems };
}

async function read<K extends FactName>(
  fact: Fact<K>,
  node: NodeKnowledge,
  root: string,
): Promise<NonNullable<Facts[K]>> {
  return fact.parse(await observe(fact, node, root));
}
