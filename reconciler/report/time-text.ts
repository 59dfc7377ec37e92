/**
 * Durations and moments for people.
 * Invariant: never more precise than a person cares for; a moment that cannot be read is shown as it was given.
 * Pure; now is an argument.
 */

/** A duration: `12 ms`, `1.4 s`, `3 min 20 s`, `2 h 5 min`, `4 d 2 h`. */
export function durationText(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.max(0, Math.round(milliseconds))} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  return wholeText(Math.round(seconds));
}

/** How long ago: `just now`, `40 s ago`, `3 min ago`, `5 h ago`, `2 d ago`; `in 3 min` for what is to come. */
export function relativeTime(iso: string, now: number): string {
  const at = Date.parse(iso);
  if (Number.isNaN(at)) return iso;
  const seconds = Math.round((now - at) / 1000);
  if (Math.abs(seconds) < 2) return 'just now';
  const amount = largestUnit(Math.abs(seconds));
  return seconds < 0 ? `in ${amount}` : `${amount} ago`;
}

/** A moment to the second, in UTC: `2026-11-21 09:12:44Z`. */
export function momentText(iso: string): string {
  const at = Date.parse(iso);
  return Number.isNaN(at) ? iso : `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')}Z`;
}

function wholeText(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return joined(`${minutes} min`, seconds % 60, 's');
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return joined(`${hours} h`, minutes % 60, 'min');
  return joined(`${Math.floor(hours / 24)} d`, hours % 24, 'h');
}

function joined(first: string, rest: number, unit: string): string {
  return rest === 0 ? first : `${first} ${rest} ${unit}`;
}

function largestUnit(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}
