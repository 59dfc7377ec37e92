import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDuration } from '../../../reconciler/policy/duration.ts';

describe('a duration', () => {
  it.each([
    ['0s', 0],
    ['90s', 90],
    ['5m', 300],
    ['1h30m', 5_400],
    ['3d', 259_200],
    ['2w', 1_209_600],
    ['1d1s', 86_401],
  ])('%s is %i seconds', (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds);
  });

  it.each(['', '5', 's', '5 m', '-5m', '1.5h', '5M', '30m1h', '1s1s', '999999999w', '5min'])(
    '%j is none',
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );

  it('is the sum of its parts', () => {
    const amount = fc.nat(99);
    fc.assert(
      fc.property(amount, amount, amount, amount, (d, h, m, s) => {
        expect(parseDuration(`${d}d${h}h${m}m${s}s`)).toBe(d * 86_400 + h * 3_600 + m * 60 + s);
      }),
    );
  });
});
