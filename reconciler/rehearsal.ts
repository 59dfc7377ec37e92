/**
 * Evaluates roles for a tree that was read and has yet to settle, so that the run that follows finds its answers known.
 * Invariant: one tree at a time; nobody hears of it; all it leaves are answers, under what they were made of.
 * Never contacts a host and never writes; what goes wrong is told by the run that meets it again.
 */

import type { RunFactory } from './run-factory.ts';
import type { Snapshot } from './source/snapshot.ts';
import { evaluateRoles } from './steps/evaluate-roles.ts';
import { loadPolicy } from './steps/load-policy.ts';
import type { Run, RunRequest } from './steps/run.ts';

export class Rehearsal {
  readonly #runs: Pick<RunFactory, 'rehearsal'>;
  #work: Promise<unknown> | undefined;

  constructor(runs: Pick<RunFactory, 'rehearsal'>) {
    this.#runs = runs;
  }

  /** Begins with these runs on the tree, unless it is busy with another. */
  begin(requests: readonly RunRequest[], snapshot: Snapshot): void {
    if (this.#work !== undefined) return;
    const work = Promise.allSettled(requests.map((request) => take(this.#runs.rehearsal(request, snapshot))));
    this.#work = work.then(() => {
      this.#work = undefined;
    });
  }

  /** Settles when it is busy with nothing: a run waits for it, since it does that run's work. */
  async over(): Promise<void> {
    await this.#work;
  }
}

async function take(run: Run): Promise<void> {
  for (const step of [loadPolicy, evaluateRoles]) {
    if (!(await step.take(run)).goOn) return;
  }
}
