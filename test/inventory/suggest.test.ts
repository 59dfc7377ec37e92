import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { didYouMean, nearest } from '../../inventory/suggest.ts';

describe('a suggestion', () => {
  it.each([
    ['towline_prot', 'towline_port'],
    ['wbe', 'web'],
    ['WEB', 'web'],
    ['db', undefined],
    ['x', undefined],
    ['completely-else', undefined],
  ])('for %s is %s', (word, expected) => {
    expect(nearest(word, ['web', 'towline_port', 'towline_host'])).toBe(expected);
  });

  it('is the nearest of several, and none for no words', () => {
    expect(nearest('web10', ['web20', 'web1', 'web100', 'wob10'])).toBe('web20');
    expect(didYouMean('web', [])).toBe('');
  });

  it('is found after any one letter was lost, doubled or swapped in a long word', () => {
    const word = 'groups-and-hosts';
    fc.assert(
      fc.property(fc.nat(word.length - 2), fc.constantFrom('lost', 'doubled', 'swapped'), (at, how) => {
        const [before, one, two, after] = [word.slice(0, at), word[at], word[at + 1], word.slice(at + 2)];
        const middle = { lost: two, doubled: `${one}${one}${two}`, swapped: `${two}${one}` }[how];
        expect(nearest(`${before}${middle}${after}`, ['hosts', word, 'groups'])).toBe(word);
      }),
    );
  });
});
