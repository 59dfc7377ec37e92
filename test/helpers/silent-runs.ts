/**
 * Runs that nobody watches and no history keeps.
 * Invariant: nothing of ours is replaced; only those who would hear are nobody.
 * Never used outside tests.
 */

import { RunFactory } from '../../reconciler/run-factory.ts';
import type { Services } from '../../reconciler/steps/run.ts';

export function silentRuns(services: Services): RunFactory {
  const nobody = (): void => {};
  return new RunFactory({
    services,
    redact: (sink) => sink,
    watchers: nobody,
    history: nobody,
    random: Math.random,
  });
}
