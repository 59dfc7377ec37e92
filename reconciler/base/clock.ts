/**
 * The only reader of time in the reconciler: of the time of day, and of how long something took.
 * Invariant: who decides by the time gets a Clock as an argument; durations never come from the time of day, which people set.
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

/** Milliseconds since a moment that stays the same, fractions included; nobody sets them forward or back. */
export function monotonic(): number {
  return performance.now();
}

/** Starts measuring; each call of what it gives tells the milliseconds since then, to the microsecond. */
export function stopwatch(now: () => number = monotonic): () => number {
  const startedAt = now();
  return () => Math.round((now() - startedAt) * 1000) / 1000;
}
