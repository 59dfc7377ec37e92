/**
 * The tree to reconcile: the branch's newest for commits and edits, the revision in force for drift and retries.
 * Invariant: a failed fetch leaves the last good revision in force.
 * Never loads anything of it.
 */

import { changedPaths } from '../source/snapshot.ts';
import { end, goOn, isAboutRevisionInForce, type Step } from './run.ts';

export const takeSnapshot: Step = {
  name: 'take-snapshot',
  async take(run) {
    const { request, services, memory } = run;
    const isInForce = isAboutRevisionInForce(request);
    if (isInForce && memory.lastGood !== undefined) {
      run.snapshot = memory.lastGood.snapshot;
      run.emit({ type: 'revision', revision: run.snapshot.revision });
      return goOn;
    }
    const { name, branch } = request.environment;
    const inForce = isInForce ? (await services.store.environments.get(name))?.lastGood?.id : undefined;
    const taken = await services.snapshot(branch, request.revision ?? inForce);
    if (!taken.ok) return end('stalled', [taken.problem]);
    run.snapshot = taken.value;
    const before = memory.lastGood?.snapshot;
    const changedFiles = before === undefined ? undefined : changedPaths(before, taken.value);
    run.emit({ type: 'revision', revision: taken.value.revision, changedFiles });
    return goOn;
  },
};
