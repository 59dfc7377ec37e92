import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutToWidth, displayWidth, padToWidth } from '../../../reconciler/report/display-width.ts';
import { hanging, paintLine, toned, wrapText } from '../../../reconciler/report/line.ts';
import { chooseStyle, isLive, makeStyle } from '../../../reconciler/report/style.ts';
import { nastyText } from './events.ts';

const utf8 = { LANG: 'de_DE.UTF-8' };
const plain = makeStyle({ colour: false, unicode: true });

describe('chooseStyle', () => {
  it('colours a capable terminal only', () => {
    expect(chooseStyle({ environment: utf8, terminal: true }).colour).toBe(true);
    expect(chooseStyle({ environment: utf8, terminal: false }).colour).toBe(false);
    expect(chooseStyle({ environment: { ...utf8, TERM: 'dumb' }, terminal: true }).colour).toBe(false);
  });

  it('obeys the flag before NO_COLOR and NO_COLOR before FORCE_COLOR', () => {
    const environment = { NO_COLOR: '1', FORCE_COLOR: '1' };
    expect(chooseStyle({ environment, terminal: true }).colour).toBe(false);
    expect(chooseStyle({ environment, terminal: true, colour: true }).colour).toBe(true);
    expect(chooseStyle({ environment: {}, terminal: true, colour: false }).colour).toBe(false);
    expect(chooseStyle({ environment: { FORCE_COLOR: '' }, terminal: false }).colour).toBe(true);
    expect(chooseStyle({ environment: { FORCE_COLOR: '0' }, terminal: true }).colour).toBe(false);
    expect(chooseStyle({ environment: { NO_COLOR: '' }, terminal: true }).colour).toBe(true);
  });

  it('falls back to ASCII where the locale is not UTF-8', () => {
    const style = chooseStyle({ environment: { LC_ALL: 'C', LANG: 'de_DE.UTF-8' }, terminal: true });
    expect(style.clean('✓ a → b … “ü”')).toBe('* a -> b ... "\\u{fc}"');
    expect(style.spinner(1)).toBe('/');
  });

  it('redraws in place on a real terminal only', () => {
    expect(isLive({ environment: {}, terminal: true })).toBe(true);
    expect(isLive({ environment: { CI: 'true' }, terminal: true })).toBe(false);
    expect(isLive({ environment: { CI: 'false' }, terminal: true })).toBe(true);
    expect(isLive({ environment: { TERM: 'dumb' }, terminal: true })).toBe(false);
    expect(isLive({ environment: {}, terminal: true, columns: 0 })).toBe(false);
    expect(isLive({ environment: {}, terminal: false })).toBe(false);
  });
});

describe('lines', () => {
  it('never gets wider than asked, whatever the text and the style', () => {
    const spans = fc.array(
      fc.oneof(
        nastyText,
        nastyText.map((text) => toned('bad', text)),
      ),
      { maxLength: 5 },
    );
    fc.assert(
      fc.property(spans, fc.integer({ min: 1, max: 120 }), fc.boolean(), (line, width, unicode) => {
        const text = paintLine(line, makeStyle({ colour: false, unicode }), width);
        expect(displayWidth(text)).toBeLessThanOrEqual(width);
        expect(text).not.toMatch(/[\p{Cc}]/u);
      }),
    );
  });

  it('adds only colour sequences of its own when it colours', () => {
    const style = makeStyle({ colour: true, unicode: true });
    const text = paintLine([toned('bad', 'x\x1b[2J'), ' y'], style, 80);
    expect(text).toBe('\x1b[31mx\\x1b[2J\x1b[39m y');
  });

  it('cuts with an ellipsis at the last column', () => {
    expect(paintLine(['abc', toned('good', 'defgh')], plain, 6)).toBe('abcde…');
    expect(paintLine(['世界世界'], plain, 5)).toBe('世界…');
  });

  it('wraps words, breaks those that are too long and hangs the rest below', () => {
    expect(wrapText('one two three', 8, plain)).toEqual(['one two', 'three']);
    expect(wrapText('abcdefghijklm', 8, plain)).toEqual(['abcdefgh', 'ijklm']);
    expect(hanging(['→ '], 'one two three', { style: plain, width: 10 })).toEqual([
      ['→ ', 'one two'],
      ['  ', 'three'],
    ]);
  });
});

describe('displayWidth', () => {
  it('counts columns, not characters', () => {
    expect(displayWidth('abc')).toBe(3);
    expect(displayWidth('世界')).toBe(4);
    expect(displayWidth('e\u0301')).toBe(1);
    expect(displayWidth('👩‍👩‍👧')).toBe(2);
  });

  it('cuts and pads to exactly what is asked', () => {
    expect(cutToWidth('世界', 3)).toBe('世');
    expect(padToWidth('世', 4)).toBe('世  ');
  });
});
