/**
 * Lines as spans of text with a meaning, and the one place where spans become terminal text.
 * Invariant: every painted line is made safe, fits the width, and carries escape sequences only when the style has colour.
 * Never put painted text into a span.
 */

import { cutToWidth, displayWidth } from './display-width.ts';
import type { Style, Tone } from './style.ts';

/** A piece of a line; a plain string has no tone. */
export type Span = string | { readonly text: string; readonly tone: Tone };
export type Line = readonly Span[];

/** A span with a tone. */
export function toned(tone: Tone, text: string): Span {
  return { text, tone };
}

export function spanText(span: Span): string {
  return typeof span === 'string' ? span : span.text;
}

/** Columns that a line takes when nothing is cut. */
export function lineWidth(line: Line, style: Style): number {
  return line.reduce((sum, span) => sum + displayWidth(style.clean(spanText(span))), 0);
}

/** A line as text, cut with an ellipsis where it is wider than `width`. */
export function paintLine(line: Line, style: Style, width: number): string {
  const pieces = line.map((span) => ({ span, text: style.clean(spanText(span)) }));
  const total = pieces.reduce((sum, piece) => sum + displayWidth(piece.text), 0);
  const ellipsis = style.clean('…');
  let left = total > width ? width - displayWidth(ellipsis) : width;
  let painted = '';
  for (const { span, text } of pieces) {
    const shown = cutToWidth(text, left);
    left -= displayWidth(shown);
    painted += typeof span === 'string' ? shown : style.paint(span.tone, shown);
    if (shown.length < text.length) break;
  }
  const cut = cutToWidth(ellipsis, Math.max(0, width));
  return total > width ? painted + style.paint('dim', cut) : trimmed(painted, style);
}

/** Lines as texts; see paintLine. */
export function paintLines(lines: readonly Line[], style: Style, width: number): string[] {
  return lines.map((line) => paintLine(line, style, width));
}

/** Text broken at spaces so that each piece takes at most `columns`; longer words are broken inside. */
export function wrapText(text: string, columns: number, style: Style): string[] {
  const room = Math.max(8, columns);
  const lines: string[] = [];
  let current = '';
  for (const word of style.clean(text).split(' ')) {
    const joined = current === '' ? word : `${current} ${word}`;
    if (displayWidth(joined) <= room) {
      current = joined;
      continue;
    }
    if (current !== '') lines.push(current);
    current = breakWord(word, room, lines);
  }
  if (current !== '' || lines.length === 0) lines.push(current);
  return lines;
}

/** A first line behind `lead`, the others below it with the same indent. */
export function hanging(lead: Line, text: string, options: HangingOptions): Line[] {
  const { style, width, tone } = options;
  const indent = lineWidth(lead, style);
  const span = (piece: string): Span => (tone === undefined ? piece : toned(tone, piece));
  return wrapText(text, width - indent, style).map((piece, index) =>
    index === 0 ? [...lead, span(piece)] : [' '.repeat(indent), span(piece)],
  );
}

/** Items side by side behind `lead`, as many on a line as fit, the others below with the same indent. */
export function flow(lead: Line, items: readonly Line[], options: HangingOptions): Line[] {
  const { style, width } = options;
  const indent = lineWidth(lead, style);
  const separator = toned('dim', ' · ');
  const lines: Span[][] = [];
  let used = width;
  for (const item of items) {
    const size = lineWidth(item, style);
    const current = lines.at(-1);
    if (current !== undefined && used + 3 + size <= width) {
      current.push(separator, ...item);
      used += 3 + size;
    } else {
      lines.push([...(current === undefined ? lead : [' '.repeat(indent)]), ...item]);
      used = indent + size;
    }
  }
  return lines;
}

export interface HangingOptions {
  readonly style: Style;
  readonly width: number;
  readonly tone?: Tone | undefined;
}

function breakWord(word: string, room: number, lines: string[]): string {
  let rest = word;
  while (displayWidth(rest) > room) {
    const piece = cutToWidth(rest, room);
    lines.push(piece);
    rest = rest.slice(piece.length);
  }
  return rest;
}

function trimmed(text: string, style: Style): string {
  return style.colour ? text : text.trimEnd();
}
