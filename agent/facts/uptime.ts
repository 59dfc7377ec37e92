/**
 * Fact `uptime`: whole seconds since boot.
 * Invariant: never negative.
 * Pure.
 */

import type { Fact, FactExample } from './fact.ts';

const source = '/proc/uptime';

export const uptime: Fact<'uptime'> = {
  files: [source],
  parse({ files }) {
    const seconds = Number.parseFloat(files[source] ?? '');
    if (!(seconds >= 0)) throw new Error(`${source} does not hold a number of seconds`);
    return Math.floor(seconds);
  },
};

export const uptimeExample: FactExample<'uptime'> = {
  observed: { files: { '/proc/uptime': '350735.47 234388.90\n' } },
  value: 350_735,
};
