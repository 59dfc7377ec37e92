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
    const record = isInForce ? await services.store.environments.get(name) : undefined;
    const taken = await services.snapshot(branch, request.revision ?? commitOf(record?.lastGood?.id));
    if (!taken.ok) return end('stalled', [taken.problem]);
    run.snapshot = taken.value;
    const before = memory.lastGood?.snapshot;
    const changedFiles = before === undefined ? undefined : changedPaths(before, taken.value);
    run.emit({ type: 'revision', revision: taken.value.revision, changedFiles });
    return goOn;
  },
};

/** What a working tree held is gone with the process that looked at it; its present state has to serve. */
function commitOf(revision: string | undefined): string | undefined {
  return revision?.startsWith('worktree:') === true ? undefined : revision;
}
