/**
 * When a pair that did not succeed is tried again by itself.
 * Invariant: only what may pass by itself is retried (retry, wait); what a person must mend waits for a commit or a command.
 * Pure: time and randomness come in.
 */

import type { FailedAttempt } from '../state/store.ts';

const firstSeconds = 5;
const mostSeconds = 300;

/** Milliseconds since the epoch of the next try; undefined: not by itself. `random` is in [0, 1). */
export function nextTry(
  attempt: Pick<FailedAttempt, 'at' | 'attempts' | 'problem'>,
  random: number,
): number | undefined {
  const { disposition } = attempt.problem;
  if (disposition !== 'retry' && disposition !== 'wait') return undefined;
  const seconds = Math.min(mostSeconds, firstSeconds * 2 ** Math.min(20, attempt.attempts - 1));
  return Date.parse(attempt.at) + seconds * 1000 * (0.8 + 0.4 * random);
}
