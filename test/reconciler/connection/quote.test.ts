import { execFileSync, spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quote, quoteAll } from '../../../reconciler/connection/quote.ts';

const shells = ['sh', 'bash', 'zsh', 'fish', 'csh', 'tcsh'].filter(
  (shell) => spawnSync(shell, ['-c', 'true']).status === 0,
);
const word = fc.string({ unit: 'grapheme' }).filter((text) => !/[\n\r\0]/.test(text));
const nasty = fc.string({
  unit: fc.constantFrom("'", '"', '\\', '!', '$', '`', ' ', '*', '~', '#', 'a', '{', '}', ';'),
});

describe('quoting for login shells', () => {
  it.each(shells)('gives %s exactly the words that were meant', (shell) => {
    fc.assert(
      fc.property(fc.array(fc.oneof(word, nasty), { minLength: 1, maxLength: 5 }), (words) => {
        const script = `printf '%s\\n' ${quoteAll(words)}`;
        expect(execFileSync(shell, ['-c', script], { encoding: 'utf8' })).toBe(`${words.join('\n')}\n`);
      }),
      { numRuns: 40 },
    );
  });

  it('leaves plain words alone and keeps the empty word', () => {
    expect(quote('/usr/bin/node')).toBe('/usr/bin/node');
    expect(quote('')).toBe("''");
    expect(quote("it's!")).toBe(`'it'"'"'s'\\!`);
  });

  it('refuses line breaks', () => {
    expect(() => quote('a\nb')).toThrow(RangeError);
  });
});
