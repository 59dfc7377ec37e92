/**
 * Many hosts in few words: `web-1, web-2 … web-30 (30 hosts)`.
 * Invariant: the count is always right; up to what fits, every host is named.
 * Pure.
 */

import { displayWidth } from './display-width.ts';
import type { Style } from './style.ts';

const collator = new Intl.Collator('en', { numeric: true });

/** Host names as people count: web-2 before web-10. */
export function sortHosts(hosts: Iterable<string>): string[] {
  return [...hosts].sort(collator.compare);
}

/** The hosts in at most `columns`: all names where they fit, else the first, the last and how many. */
export function hostList(hosts: readonly string[], columns: number, style: Style): string {
  const sorted = sortHosts(hosts);
  const all = sorted.join(', ');
  if (sorted.length <= 1) return all;
  if (sorted.length <= 12 && fits(all, columns, style)) return all;
  const count = `(${sorted.length} hosts)`;
  const last = sorted.at(-1) ?? '';
  for (const named of [3, 2, 1]) {
    const short = `${sorted.slice(0, named).join(', ')} … ${last} ${count}`;
    if (sorted.length > named + 1 && fits(short, columns, style)) return short;
  }
  return count.slice(1, -1);
}

function fits(text: string, columns: number, style: Style): boolean {
  return displayWidth(style.clean(text)) <= columns;
}

/** `1 host`, `3 hosts`; `word` is the singular. */
export function counted(count: number, word: string): string {
  if (count === 1) return `1 ${word}`;
  return `${count} ${/[^aeiou]y$/.test(word) ? `${word.slice(0, -1)}ies` : `${word}s`}`;
}
