/**
 * Lets go of old runs while a reconciler is up: at the start, then once a day.
 * Invariant: what is applied where is not history and stays.
 * Never lets a failure to tidy disturb a run.
 */

import type { Clock } from '../base/clock.ts';
import type { HistoryStore } from '../state/store.ts';

const day = 86_400_000;
const keptDays = 90;

/** Begins; the given function ends it. */
export function dropOldHistory(
  history: HistoryStore,
  clock: Clock,
  onFailure: (error: unknown) => void,
): () => void {
  const drop = (): void => {
    history.prune(new Date(clock.now() - keptDays * day).toISOString()).catch(onFailure);
  };
  drop();
  const timer = setInterval(drop, day);
  return () => clearInterval(timer);
}
