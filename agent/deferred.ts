/**
 * A promise together with what settles it.
 * Invariant: a rejection that nobody waits for yet is no unhandled one.
 * Never settles by itself.
 */

export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

export function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<T>((...settlers) => {
    [resolve, reject] = settlers;
  });
  promise.catch(() => {});
  return { promise, resolve, reject };
}
