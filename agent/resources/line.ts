/**
 * Kind `line`: one line in a text file.
 * Invariant: after apply, check is clean, also when the line does not match its own `match`.
 * Never touches another line.
 */

import type { LineShape } from '../protocol/shapes/line.ts';
import { type Edited, pattern, type TextEdit, textResource } from './text-edit.ts';
import { bareText, insertLines, insertPlace, type Line, styledLines } from './text-lines.ts';

type Term = (wanted: string) => string;

const lineEdit: TextEdit<LineShape> = {
  property: 'line',
  edit: (lines, wanted, term) => (wanted.state === 'absent' ? remove : place)(lines, wanted, term),
};

export const lineResource = textResource<'line'>(lineEdit);

/**
 * The last line that matches or is the wanted one already decides: as wanted, or replaced. Counting the wanted line itself
 * makes the edit settle even when it does not match its own pattern.
 */
function place(lines: readonly Line[], wanted: LineShape, term: Term): Edited | undefined {
  const text = bareText(term(wanted.line));
  const match = pattern(wanted.match, term);
  const hit = lastPlace(lines, (line) => line.text === text || match?.test(line.text));
  if (hit === -1) {
    const spot = { after: pattern(wanted.after, term), before: pattern(wanted.before, term) };
    return {
      lines: insertLines(lines, insertPlace(lines, spot), styledLines(lines, [text])),
      to: wanted.line,
    };
  }
  const old = lines[hit] as Line;
  if (old.text === text) return undefined;
  // An empty last line without an end would be no line.
  const end = text ? old.end : old.end || '\n';
  const replaced = lines.map((line, index) => (index === hit ? { text, end } : line));
  return { lines: replaced, from: old.text, to: wanted.line };
}

function remove(lines: readonly Line[], wanted: LineShape, term: Term): Edited | undefined {
  const match = pattern(wanted.match, term);
  const text = bareText(term(wanted.line));
  const goes = (line: Line): boolean => (match ? match.test(line.text) : line.text === text);
  const gone = lines.filter(goes);
  if (gone.length === 0) return undefined;
  return { lines: lines.filter((line) => !goes(line)), from: gone.map((line) => line.text).join('\n') };
}

function lastPlace(lines: readonly Line[], holds: (line: Line) => boolean | undefined): number {
  for (let index = lines.length - 1; index >= 0; index -= 1) {
    if (holds(lines[index] as Line)) return index;
  }
  return -1;
}
