/**
 * One host follows one environment: the loaded inventory's hosts are claimed, or the revision stalls.
 * Invariant: a refused environment keeps what it has in force; the problem names both environments.
 * Never frees a host: that happens when a plan without it is in force.
 */

import { end, goOn, type Loaded, type Step } from './run.ts';

export const checkClaims: Step = {
  name: 'check-claims',
  async take(run) {
    const { inventory } = run.loaded as Loaded;
    const problems = await run.services.claims.take(run.request.environment.name, inventory.hosts.keys());
    return problems.length === 0 ? goOn : end('stalled', problems);
  },
};
