import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Share } from '../../../reconciler/policy/model.ts';
import { failureBudget, splitWaves } from '../../../reconciler/rollout/waves.ts';

const share: fc.Arbitrary<Share> = fc.oneof(
  fc.integer({ min: 1, max: 20 }),
  fc.integer({ min: 1, max: 100 }).map((percent) => `${percent}%` as const),
);

describe('splitWaves', () => {
  it('puts every host into exactly one wave, in the order given, and leaves no wave empty', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer()), fc.array(share, { maxLength: 4 }), (hosts, serial) => {
        const waves = splitWaves(hosts, serial);
        expect(waves.flat()).toEqual(hosts);
        expect(waves.every((wave) => wave.length > 0)).toBe(true);
      }),
    );
  });

  it('repeats the last size, and takes shares of all hosts', () => {
    const hosts = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
    expect(splitWaves(hosts, [1, '25%']).map((wave) => wave.length)).toEqual([1, 2, 2, 2, 2, 1]);
    expect(splitWaves(hosts, []).length).toBe(1);
    expect(splitWaves([1, 2, 3], ['1%']).map((wave) => wave.length)).toEqual([1, 1, 1]);
  });
});

describe('failureBudget', () => {
  it('is a count, or a share rounded down', () => {
    expect([
      failureBudget(2, 10),
      failureBudget('25%', 10),
      failureBudget('100%', 3),
      failureBudget(0, 5),
    ]).toEqual([2, 2, 3, 0]);
  });
});
