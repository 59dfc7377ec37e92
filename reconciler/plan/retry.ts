/**
 * When a pair that did not succeed is tried again by itself.
 * Invariant: only what may pass by itself is retried (retry, wait); what a person must mend waits for a commit or a command.
 * Pure: time and randomness come in.
 */

import type { FailedAttempt } from '../base/ledger.ts';

const firstSeconds = 5;
const mostSeconds = 300;
/** Milliseconds that chance may add to the longest wait. */
const spreadMost = mostSeconds * 200;

type Attempt = Pick<FailedAttempt, 'at' | 'attempts' | 'problem'>;

/** Milliseconds since the epoch of the next try; undefined: not by itself. `random` is in [0, 1). */
export function nextTry(attempt: Attempt, random: number): number | undefined {
  const { disposition } = attempt.problem;
  if (disposition !== 'retry' && disposition !== 'wait') return undefined;
  const seconds = Math.min(mostSeconds, firstSeconds * 2 ** Math.min(20, attempt.attempts - 1));
  return Date.parse(attempt.at) + seconds * 1000 * (0.8 + 0.4 * random);
}

/** The next retry of an environment. */
export interface Retry {
  readonly hosts: ReadonlySet<string>;
  /** Milliseconds from now. */
  readonly wait: number;
}

/**
 * The next retry, with every host that is due within a second of it; asked right after a run. A try that is due already was passed over
 * by that run, so it waits the longest time instead of coming up again at once, for ever; one of a clock that was set back since waits no
 * longer than that either.
 */
export function nextRetry(
  failed: readonly (Attempt & Pick<FailedAttempt, 'host'>)[],
  now: number,
  random: () => number,
): Retry | undefined {
  const due = failed.flatMap((attempt) => {
    const at = nextTry(attempt, random());
    if (at === undefined) return [];
    const latest = now + mostSeconds * 1000;
    return [{ host: attempt.host, at: at > now ? Math.min(at, latest + spreadMost) : latest }];
  });
  if (due.length === 0) return undefined;
  const first = Math.min(...due.map(({ at }) => at));
  const hosts = new Set(due.filter(({ at }) => at <= first + 1000).map(({ host }) => host));
  return { hosts, wait: Math.ceil(first - now) };
}
