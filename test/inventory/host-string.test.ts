import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../agent/protocol/json.ts';
import { parseHostString } from '../../inventory/host-string.ts';

function read(text: string): Record<string, Json> | string {
  const result = parseHostString(text);
  return result.ok
    ? Object.fromEntries(result.assignments.map(({ name, value }) => [name, value]))
    : result.reason;
}

describe('variables of a host as one string', () => {
  it.each([
    ['', {}],
    ['  a=1\tb=x  ', { a: 1, b: 'x' }],
    [`a='x y' b="p 'q'" c=it\\'s`, { a: 'x y', b: "p 'q'", c: "it's" }],
    ['a=x"y z"w', { a: 'xy zw' }],
    ['a="\\"q\\" \\\\ \\n"', { a: '"q" \\ \\n' }],
    ["a='\\n'", { a: '\\n' }],
    ['a= b=""', { a: '', b: '' }],
    ['a=b=c', { a: 'b=c' }],
  ])('%j splits as in a shell', (text, expected) => {
    expect(read(text)).toEqual(expected);
  });

  it.each([
    ['a=0', 0],
    ['a=-12', -12],
    ['a=true', true],
    ['a=false', false],
    ["a='80'", '80'],
    ['a="true"', 'true'],
    ['a=\\80', '80'],
    ['a=007', '007'],
    ['a=1.5', '1.5'],
    ['a=-0', '-0'],
    ['a=True', 'True'],
    ['a=12345678901234567890', '12345678901234567890'],
  ])('%s is typed only when it is clear and not quoted', (text, expected) => {
    expect(read(text)).toEqual({ a: expected });
  });

  it.each([
    ['a', 'word 1 is not name=value'],
    ['a=1 =2', 'word 2 is not name=value'],
    ['a=1 a=2', '"a" is given twice'],
    ['a=1 b="x', 'word 2 has an open quote'],
    ["b='x", 'word 1 has an open quote'],
    ['a=x\\', 'it ends with a lone backslash'],
  ])('%j is refused with the reason', (text, reason) => {
    expect(read(text)).toBe(reason);
  });

  it('gives any text back that is quoted as a shell quotes', () => {
    const pairs = fc.dictionary(fc.stringMatching(/^[a-z_]{1,8}$/), fc.string({ unit: 'grapheme' }), {
      maxKeys: 5,
    });
    const single = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
    const double = (text: string) => `"${text.replaceAll(/(["\\])/g, '\\$1')}"`;
    fc.assert(
      fc.property(pairs, fc.boolean(), (values, twice) => {
        const quote = twice ? double : single;
        const text = Object.entries(values).map(([name, value]) => `${name}=${quote(value)}`);
        expect(read(text.join(' '))).toEqual({ ...values });
      }),
    );
  });

  it('ends on any text, with an answer', () => {
    fc.assert(fc.property(fc.string(), (text) => ['string', 'object'].includes(typeof read(text))));
  });
});
