/**
 * Variables of a host written as one string: `"a=1 b='x y'"`.
 * Invariant: words split as a POSIX shell splits them; unquoted clear integers, true and false become typed, all else stays text.
 * Pure; never expands anything.
 */

import type { Json } from '../agent/protocol/json.ts';

export interface Assignment {
  readonly name: string;
  readonly value: Json;
  /** The value before it was typed: magic variables take this. */
  readonly text: string;
}

export type HostString =
  | { readonly ok: true; readonly assignments: readonly Assignment[] }
  | { readonly ok: false; readonly reason: string };

interface Word {
  readonly text: string;
  readonly quoted: boolean;
}

/** Reads the string form. Reasons name the variable at most, never a value. */
export function parseHostString(text: string): HostString {
  const words = splitWords(text);
  if (typeof words === 'string') return { ok: false, reason: words };
  const assignments: Assignment[] = [];
  for (const [index, { text: word, quoted }] of words.entries()) {
    const equals = word.indexOf('=');
    if (equals < 1) return { ok: false, reason: `word ${index + 1} is not name=value` };
    const name = word.slice(0, equals);
    if (name === '__proto__') return { ok: false, reason: 'the name "__proto__" is not allowed' };
    if (assignments.some((earlier) => earlier.name === name)) {
      return { ok: false, reason: `"${name}" is given twice` };
    }
    const value = word.slice(equals + 1);
    assignments.push({ name, value: quoted ? value : typedText(value), text: value });
  }
  return { ok: true, assignments };
}

/** An unquoted value: a clear integer, true and false become what they say, all else stays text. */
export function typedText(text: string): Json {
  if (text === 'true') return true;
  if (text === 'false') return false;
  if (/^(?:0|-?[1-9]\d{0,14})$/.test(text)) return Number(text);
  return text;
}

function splitWords(text: string): readonly Word[] | string {
  const words: Word[] = [];
  const word = /(?:[^\s'"\\]|\\[\s\S]|'[^']*'|"(?:[^"\\]|\\[\s\S])*")+/y;
  let at = 0;
  for (;;) {
    while (/\s/.test(text[at] ?? '')) at += 1;
    if (at === text.length) return words;
    word.lastIndex = at;
    const raw = word.exec(text)?.[0] ?? '';
    at += raw.length;
    if (at < text.length && !/\s/.test(text[at] ?? '')) {
      return text[at] === '\\'
        ? 'it ends with a lone backslash'
        : `word ${words.length + 1} has an open quote`;
    }
    words.push({ text: unquote(raw), quoted: /['"\\]/.test(raw) });
  }
}

function unquote(raw: string): string {
  return raw.replace(/\\([\s\S])|'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"/g, (_, escaped, single, double) => {
    if (escaped !== undefined) return escaped;
    if (single !== undefined) return single;
    return double.replace(/\\(["\\])/g, '$1');
  });
}
