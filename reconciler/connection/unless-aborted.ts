/**
 * Waiting for an attempt that others may wait for too, and leaving it alone.
 * Invariant: who leaves disturbs nobody; what comes too late is handed to whoever gives it back.
 * Never cancels the attempt.
 */

import { failure, placed, type Result } from '../../agent/protocol/problem.ts';
import { connectionProblem } from '../base/problem-codes/connection.ts';

interface Impatience<T> {
  readonly signal: AbortSignal | undefined;
  /** Gets what comes although nobody waits any more. */
  readonly late?: (value: T) => void;
}

/** Stops waiting when the signal says so; the attempt goes on for the others who wait. */
export function unlessAborted<T>(
  attempt: Promise<Result<T>>,
  host: string,
  { signal, late }: Impatience<T>,
): Promise<Result<T>> {
  if (signal === undefined) return attempt;
  const { promise, resolve } = Promise.withResolvers<Result<T>>();
  const problem = placed(connectionProblem('line.cancelled', 'cancelled while connecting'), { host });
  const cancel = (): void => resolve(failure(problem));
  signal.addEventListener('abort', cancel);
  if (signal.aborted) cancel();
  const give = (opened: Result<T>): void => {
    signal.removeEventListener('abort', cancel);
    if (signal.aborted && opened.ok) late?.(opened.value);
    resolve(opened);
  };
  void attempt.then(give);
  return promise;
}
