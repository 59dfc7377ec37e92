/**
 * Many pieces of work, a few at once.
 * Invariant: results stand in the order of the items; nothing new starts once the signal is aborted or a piece has failed.
 * Never swallows an error: the first one rejects when the running ones have ended.
 */

/** Runs `work` over all items, at most `most` at once. Items not started because of the signal give undefined. */
export async function limited<T, R>(
  items: readonly T[],
  options: { readonly most: number; readonly signal?: AbortSignal | undefined },
  work: (item: T, index: number) => Promise<R>,
): Promise<(R | undefined)[]> {
  const results: (R | undefined)[] = new Array(items.length).fill(undefined);
  let next = 0;
  let hasFailed = false;
  const lane = async (): Promise<void> => {
    while (next < items.length && !hasFailed && options.signal?.aborted !== true) {
      const index = next;
      next += 1;
      try {
        results[index] = await work(items[index] as T, index);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    }
  };
  const lanes = Array.from({ length: Math.max(1, Math.min(options.most, items.length)) }, lane);
  const ended = await Promise.allSettled(lanes);
  const failed = ended.find((lane) => lane.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return results;
}
