import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextRetry, nextTry } from '../../../reconciler/plan/retry.ts';
import { problemOf } from './plans.ts';

const at = '2026-01-01T00:00:00.000Z';
const start = Date.parse(at);
const attempt = (host: string, attempts: number, disposition: 'retry' | 'stalled' = 'retry') => ({
  host,
  at,
  attempts,
  problem: problemOf(disposition),
});

describe('nextTry', () => {
  it('waits between four seconds and six minutes, longer with each try', () => {
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), random, (attempts, chance) => {
        const wait = (nextTry(attempt('a', attempts), chance) as number) - start;
        expect(wait).toBeGreaterThanOrEqual(4000);
        expect(wait).toBeLessThanOrEqual(360_000);
        expect(nextTry(attempt('a', attempts + 1), chance)).toBeGreaterThanOrEqual(start + wait);
      }),
    );
  });

  it('leaves to people what only they can mend', () => {
    for (const disposition of ['stalled', 'defect'] as const)
      expect(nextTry({ at, attempts: 1, problem: problemOf(disposition) }, 0.5)).toBeUndefined();
    expect(nextTry({ at, attempts: 1, problem: problemOf('wait') }, 0.5)).toBe(start + 5000);
  });
});

describe('nextRetry', () => {
  it('takes every host that is due with the first one', () => {
    const failed = [attempt('a', 1), attempt('b', 1), attempt('c', 4), attempt('d', 1, 'stalled')];
    expect(nextRetry(failed, start, () => 0.5)).toEqual({ hosts: new Set(['a', 'b']), wait: 5000 });
  });

  it('puts off what the last run passed over instead of asking for it again at once', () => {
    expect(nextRetry([attempt('a', 1)], start + 60_000, () => 0.5)).toEqual({
      hosts: new Set(['a']),
      wait: 300_000,
    });
  });

  it('has nothing to do where nobody failed', () => {
    expect(nextRetry([attempt('a', 1, 'stalled')], start, () => 0)).toBeUndefined();
  });
});
