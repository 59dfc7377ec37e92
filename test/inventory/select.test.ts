import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isName } from '../../inventory/names.ts';
import { limitHosts, matcher, selectHosts, splitPatterns, unmatchedTargets } from '../../inventory/select.ts';
import { loaded } from './fixture.ts';

const inventory = loaded(`
  [groups.web]
  hosts = ["web[1:3].example.org", "shared"]
  [groups.web-old]
  hosts = ["web0.example.org"]
  [groups.db]
  hosts = ["db1", "shared"]
  [groups.site]
  children = ["db"]
  [hosts]
  alone = {}
`);
const all = [
  'web1.example.org',
  'web2.example.org',
  'web3.example.org',
  'shared',
  'web0.example.org',
  'db1',
  'alone',
];
const names = (hosts: readonly { name: string }[]) => hosts.map(({ name }) => name);

describe('the hosts of a role', () => {
  it.each([
    [{}, all],
    [{ groups: ['web*'] }, all.slice(0, 5)],
    [{ groups: ['web'] }, all.slice(0, 4)],
    [{ groups: ['site'] }, ['shared', 'db1']],
    [{ groups: ['all'] }, all],
    [
      { hosts: ['*.example.org'] },
      ['web1.example.org', 'web2.example.org', 'web3.example.org', 'web0.example.org'],
    ],
    [{ hosts: ['web[!13].example.org', 'alone'] }, ['web2.example.org', 'web0.example.org', 'alone']],
    [{ groups: ['db'], hosts: ['web1.*'] }, ['web1.example.org', 'shared', 'db1']],
    [{ groups: [] }, []],
    [{ groups: ['nothing'] }, []],
  ])('for %j are in inventory order', (targets, expected) => {
    expect(names(selectHosts(inventory, targets))).toEqual(expected);
  });

  it('come with a problem for each pattern that matches nothing', () => {
    const problems = unmatchedTargets(inventory, { groups: ['web*', 'dbb'], hosts: ['db?', 'x*'] });
    expect(problems.map(({ code, message }) => `${code} ${message}`)).toEqual([
      'inventory.no-match no group matches "dbb"; did you mean "db"?',
      'inventory.no-match no host matches "x*"',
    ]);
    expect(unmatchedTargets(inventory, {})).toEqual([]);
  });
});

describe('limits', () => {
  const hosts = [...inventory.hosts.values()];

  it.each([
    [{}, all],
    [{ hosts: ['web1*, db?'] }, ['web1.example.org', 'db1']],
    [{ groups: ['db,web-old'] }, ['shared', 'web0.example.org', 'db1']],
    [{ hosts: ['web*', 'shared'], groups: ['web'] }, all.slice(0, 4)],
    [{ hosts: [' , '] }, []],
  ])('%j keep the hosts that match all of them', (limits, expected) => {
    expect(names(limitHosts(hosts, limits))).toEqual(expected);
  });

  it('are split at commas', () => {
    expect(splitPatterns(['a, b*', '', ',c'])).toEqual(['a', 'b*', 'c']);
  });
});

describe('a pattern', () => {
  const letters = ['a', 'b', '-', '.', ':', '@', '%', '_', '1'];
  const name = fc.string({ unit: fc.constantFrom(...letters), maxLength: 8 }).filter(isName);
  const piece = fc.oneof(
    fc.constantFrom(
      '*',
      '?',
      ...letters,
      '+',
      '(',
      ')',
      '{',
      '}',
      '|',
      '!',
      '^',
      '$',
      '\\',
      '**',
      '[ab]',
      '[!a]',
      '[.-:]',
    ),
    fc.constantFrom('[a-b1]', '[!.:]'),
  );

  it('matches as fnmatch does', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), name, (pieces, text) => {
        expect(matcher(pieces.join(''))(text)).toBe(fnmatch(pieces, text));
      }),
      { numRuns: 5_000 },
    );
  });

  it('with backslashes ends, and matches no name', () => {
    expect(['a', 'a-', 'a+x'].some(matcher('[!.:]-\\\\'))).toBe(false);
    expect(['a', 'b'].some(matcher('*\\\\\\'))).toBe(false);
  });

  it('without wildcards matches itself only', () => {
    expect(['web', 'web1', 'Web'].filter(matcher('web'))).toEqual(['web']);
    expect(matcher('')('')).toBe(true);
  });
});

/** fnmatch over a pattern in pieces, as plainly as it can be said. */
function fnmatch([piece, ...rest]: readonly string[], text: string): boolean {
  if (piece === undefined) return text === '';
  if (/^\*+$/.test(piece))
    return fnmatch(rest, text) || (text !== '' && fnmatch([piece, ...rest], text.slice(1)));
  if (text === '') return false;
  const [first = ''] = text;
  const sets: Record<string, boolean> = {
    '?': true,
    '[ab]': 'ab'.includes(first),
    '[!a]': first !== 'a',
    '[.-:]': first >= '.' && first <= ':',
    '[a-b1]': 'ab1'.includes(first),
    '[!.:]': !'.:'.includes(first),
  };
  return (sets[piece] ?? piece === first) && fnmatch(rest, text.slice(1));
}
