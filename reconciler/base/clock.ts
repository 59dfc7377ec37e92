/**
 * The only reader of time in the reconciler.
 * Invariant: everything else gets a Clock as an argument.
 * Never call Date.now elsewhere in reconciler/.
 */

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };

/** ISO 8601 in UTC. */
export function timestamp(clock: Clock): string {
  return new Date(clock.now()).toISOString();
}
