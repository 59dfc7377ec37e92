import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { spreadDelay } from '../../../reconciler/rollout/spread.ts';

describe('spreadDelay', () => {
  it('stays within the spread and is the same every time', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 86_400 }), (host, seconds) => {
        const delay = spreadDelay(host, seconds);
        expect(delay).toBeGreaterThanOrEqual(0);
        expect(delay).toBeLessThan(seconds * 1000);
        expect(spreadDelay(host, seconds)).toBe(delay);
      }),
    );
  });

  it('fills the spread evenly', () => {
    const hosts = Array.from({ length: 1000 }, (_, index) => `web-${index}.example.org`);
    const quarters = [0, 1, 2, 3].map(
      (quarter) => hosts.filter((host) => Math.floor(spreadDelay(host, 400) / 100_000) === quarter).length,
    );
    expect(Math.min(...quarters)).toBeGreaterThan(200);
  });

  it('lets everybody begin at once where nothing is to be spread', () => {
    expect([spreadDelay('a', 0), spreadDelay('a', -1), spreadDelay('a', Number.NaN)]).toEqual([0, 0, 0]);
  });
});
