import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { escapeJson, escapeLines, escapeText } from '../../../reconciler/report/escape.ts';
import { nastyText } from './events.ts';

const control = /[\p{Cc}\p{Cs}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

describe('escapeText', () => {
  it('lets no control, bidi or surrogate character through, whatever it is given', () => {
    fc.assert(
      fc.property(nastyText, (text) => !control.test(escapeText(text))),
      { numRuns: 500 },
    );
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => !control.test(escapeText(text))));
  });

  it('shows what was there instead of hiding it', () => {
    expect(escapeText('a\x1b[31mb\x07\x9b1m')).toBe('a\\x1b[31mb\\x07\\x9b1m');
    expect(escapeText('user\u202etxt.exe')).toBe('user\\u202etxt.exe');
    expect(escapeText('x\ud800y')).toBe('x\\ud800y');
    expect(escapeText('one\ntwo\tthree')).toBe('one\\ntwo    three');
    expect(escapeText('\u{e0041}')).toBe('\\u{e0041}');
  });

  it('leaves ordinary text of any script and joined emoji alone', () => {
    for (const text of ['Grüße, Jürgen', '世界', 'مرحبا', '👩‍👩‍👧', 'e\u0301'])
      expect(escapeText(text)).toBe(text);
  });

  it('breaks up piles of combining marks', () => {
    expect(escapeText(`a${'\u0301'.repeat(9)}`)).toBe(`a${'\u0301'.repeat(4)}${'\\u0301'.repeat(5)}`);
  });
});

describe('escapeLines', () => {
  it('gives one safe line for each line of the text, without carriage returns', () => {
    expect(escapeLines('a\r\nb\x1b\n\nc\r\n')).toEqual(['a', 'b\\x1b', '', 'c']);
    expect(escapeLines('')).toEqual([]);
  });
});

describe('escapeJson', () => {
  it('reads back equal and holds no character that steers a terminal', () => {
    fc.assert(
      fc.property(nastyText, (text) => {
        const json = escapeJson(JSON.stringify({ text }));
        expect(JSON.parse(json)).toEqual({ text });
        expect(json).not.toMatch(control);
      }),
    );
  });
});
