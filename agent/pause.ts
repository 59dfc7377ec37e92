/**
 * Waiting, in milliseconds, given up as soon as a signal says so.
 * Invariant: resolves in either case; whoever waited looks at the signal.
 * Never keeps the process alive after the signal.
 */

export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener('abort', done);
  });
}
