import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expandRanges, isName } from '../../inventory/names.ts';

function names(key: string): readonly string[] | string {
  const result = expandRanges(key);
  return result.ok ? result.names : result.reason;
}

describe('ranges in host names', () => {
  it.each([
    ['web', ['web']],
    ['web[1:3]', ['web1', 'web2', 'web3']],
    ['web[08:11].example.org', ['web08', 'web09', 'web10', 'web11'].map((name) => `${name}.example.org`)],
    ['db-[a:c]', ['db-a', 'db-b', 'db-c']],
    ['DB[X:Z:2]', ['DBX', 'DBZ']],
    ['n[0:8:4]', ['n0', 'n4', 'n8']],
    ['n[9:10]', ['n9', 'n10']],
    ['r[1:2]n[a:b]', ['r1na', 'r1nb', 'r2na', 'r2nb']],
    ['n[5:5]', ['n5']],
    ['n[0:0]', ['n0']],
  ])('%s gives every name in order', (key, expected) => {
    expect(names(key)).toEqual(expected);
  });

  it.each([
    ['n[2:1]', 'range [2:1]: it ends before it begins'],
    ['n[c:a]', 'range [c:a]: it ends before it begins'],
    ['n[01:100]', 'range [01:100]: with leading zeros both ends need the same length'],
    ['n[1:010]', 'range [1:010]: the first number lacks the leading zeros'],
    ['n[1:9:0]', 'range [1:9:0]: the step is 0'],
    ['n[a:Z]', 'range [a:Z]: it is neither numbers nor single letters of one case'],
    ['n[1]', 'range [1]: it is neither numbers nor single letters of one case'],
    ['n[]', 'range []: it is neither numbers nor single letters of one case'],
    ['n[1:2', 'a bracket has no partner'],
    ['n]', 'a bracket has no partner'],
    ['n[0:999999999]', 'range [0:999999999]: it has more than 65536 members'],
    ['n[0:999][0:999]', 'it stands for more than 65536 hosts'],
  ])('%s is refused with the reason', (key, reason) => {
    expect(names(key)).toBe(reason);
  });

  it('count as a loop would, with the zeros they begin with', () => {
    const bounds = fc.tuple(fc.nat(300), fc.nat(300), fc.integer({ min: 1, max: 50 }), fc.boolean());
    fc.assert(
      fc.property(bounds, ([first, length, step, padded]) => {
        const last = first + length;
        const text = (value: number) => String(value).padStart(padded ? 4 : 0, '0');
        const expected: string[] = [];
        for (let value = first; value <= last; value += step) expected.push(`a${text(value)}z`);
        expect(names(`a[${text(first)}:${text(last)}:${step}]z`)).toEqual(expected);
      }),
    );
  });

  it('leave a key without brackets as it is', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[^[\]]*$/), (key) => {
        expect(names(key)).toEqual([key]);
      }),
    );
  });
});

describe('names', () => {
  it.each(['web1.example.org', '10.0.0.1', '::1', 'fe80::1%eth0', 'büro-pc', '_x', '7'])(
    '%j is one',
    (name) => {
      expect(isName(name)).toBe(true);
    },
  );

  it.each(['', '-x', '.x', '..', 'a b', 'a/b', 'a,b', 'a*', 'a\n', '\u001b[0m', '$(x)', 'x'.repeat(254)])(
    '%j is none',
    (name) => {
      expect(isName(name)).toBe(false);
    },
  );
});
