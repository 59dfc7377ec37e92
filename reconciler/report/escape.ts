/**
 * Text from hosts, authors and repositories made safe for a terminal: what could move a cursor, recolour, ring or reorder is shown as text.
 * Invariant: the result holds no C0, DEL or C1 control, no bidi control, no invisible format character and no lone surrogate.
 * Pure; never used for data that programs read, only for what people see.
 */

/** Controls, lone surrogates, bidi and invisible format characters; the joiner U+200D stays, emoji need it. */
const unsafe = /(?!\u200d)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0\u{e0000}-\u{e0fff}]/gu;

/** More combining marks than this on one character are shown as escapes: stacked marks can bury the lines around. */
const pileOfMarks = /(?<=\p{M}{4})\p{M}/gu;

const short: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '    ' };

/** One line of safe text; a line break in it is shown as `\n`. */
export function escapeText(text: string): string {
  return text.replace(unsafe, shown).replace(pileOfMarks, shown);
}

/** Safe lines of a text that may have several; an empty last line is left out. */
export function escapeLines(text: string): string[] {
  const lines = text.split(/\r*\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line) => escapeText(line.replace(/\r+$/, '')));
}

/** JSON text with the same characters as `\uXXXX`: reads back equal and is safe to print. */
export function escapeJson(json: string): string {
  return json.replace(unsafe, (character) =>
    character === '\n'
      ? character
      : Array.from({ length: character.length }, (_, unit) => hexUnit(character, unit)).join(''),
  );
}

function shown(character: string): string {
  const known = short[character];
  if (known !== undefined) return known;
  const point = character.codePointAt(0) ?? 0;
  if (point < 0x100) return `\\x${point.toString(16).padStart(2, '0')}`;
  return point < 0x10000 ? `\\u${point.toString(16).padStart(4, '0')}` : `\\u{${point.toString(16)}}`;
}

function hexUnit(character: string, unit: number): string {
  return `\\u${character.charCodeAt(unit).toString(16).padStart(4, '0')}`;
}
