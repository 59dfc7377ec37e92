/**
 * How fast logins at one server begin: fewer after it hung up on one, more again after each that went well.
 * Invariant: always at least one and never more than an sshd with its own settings takes (MaxStartups 10:30:100).
 * Pure: chance comes in.
 */

/** Logins under way at one server at once; the tenth may be dropped. */
export const widestPace = 8;

const firstPause = 250;
const longestPause = 8_000;

/** How a login ended for the pace: `dropped` is a server that hung up before it said anything. */
export type LoginEnd = 'opened' | 'dropped' | 'failed';

/** How many may be under way after one ended so. */
export function paceAfter(pace: number, end: LoginEnd): number {
  if (end === 'failed') return pace;
  return end === 'opened' ? Math.min(widestPace, pace + 1) : Math.max(1, Math.floor(pace / 2));
}

/** Milliseconds before the next try after `tries` that were dropped; `random` is in [0, 1). */
export function pauseAfter(tries: number, random: number): number {
  return Math.min(longestPause, firstPause * 2 ** Math.min(20, tries - 1)) * (0.5 + random);
}
