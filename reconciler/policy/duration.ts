/**
 * Durations as people write them: 90s, 5m, 1h30m, 3d, 2w.
 * Invariant: a whole number of seconds, at most ten years.
 * Pure.
 */

const units: Readonly<Record<string, number>> = { w: 604_800, d: 86_400, h: 3_600, m: 60, s: 1 };
const form = /^(?=\d)(?:\d{1,9}w)?(?:\d{1,9}d)?(?:\d{1,9}h)?(?:\d{1,9}m)?(?:\d{1,9}s)?$/;
const longest = 10 * 365 * 86_400;

/** The seconds a duration stands for; undefined when it is none. Larger units come first. */
export function parseDuration(text: string): number | undefined {
  if (!form.test(text)) return undefined;
  let seconds = 0;
  for (const [, amount, unit = ''] of text.matchAll(/(\d+)([wdhms])/g)) {
    seconds += Number(amount) * (units[unit] ?? 0);
  }
  return seconds <= longest ? seconds : undefined;
}
