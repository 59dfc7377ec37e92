/**
 * Kind `block`: several lines in a text file between two marker lines.
 * Invariant: only what stands between the markers (and, to remove, the markers) is changed.
 * Never guesses where a block ends: a begin without an end is refused.
 */

import { refusal } from '../protocol/problem-codes.ts';
import type { BlockShape } from '../protocol/shapes/block.ts';
import { type Edited, pattern, type TextEdit, textResource } from './text-edit.ts';
import { bareText, insertLines, insertPlace, type Line, styledLines } from './text-lines.ts';

const blockEdit: TextEdit<BlockShape> = { property: 'block', edit };

export const blockResource = textResource<'block'>(blockEdit);

function edit(
  lines: readonly Line[],
  wanted: BlockShape,
  term: (text: string) => string,
): Edited | undefined {
  const [begin, end] = [bareText(term(wanted.begin)), bareText(term(wanted.end))];
  const inside = linesOf(term(wanted.block));
  if (inside.includes(begin) || inside.includes(end)) {
    throw refusal('resource.failed', `the block for ${wanted.path} holds one of its own markers`);
  }
  const found = findBlock(lines, { begin, end, path: wanted.path });
  const old = found && textOf(lines.slice(found.first + 1, found.last));
  if (wanted.state === 'absent') {
    if (!found) return undefined;
    return { lines: [...lines.slice(0, found.first), ...lines.slice(found.last + 1)], from: old };
  }
  if (!found) {
    const spot = { after: pattern(wanted.after, term), before: pattern(wanted.before, term) };
    const whole = styledLines(lines, [begin, ...inside, end]);
    return { lines: insertLines(lines, insertPlace(lines, spot), whole), to: inside.join('\n') };
  }
  if (old === inside.join('\n') && found.last - found.first - 1 === inside.length) return undefined;
  return {
    lines: [...lines.slice(0, found.first + 1), ...styledLines(lines, inside), ...lines.slice(found.last)],
    from: old,
    to: inside.join('\n'),
  };
}

function findBlock(
  lines: readonly Line[],
  { begin, end, path }: { readonly begin: string; readonly end: string; readonly path: string },
): { readonly first: number; readonly last: number } | undefined {
  const first = lines.findIndex((line) => line.text === begin);
  if (first === -1) return undefined;
  const last = lines.findIndex((line, index) => index > first && line.text === end);
  if (last === -1)
    throw refusal(
      'resource.failed',
      `${path}: the begin marker in line ${first + 1} has no end marker after it`,
    );
  const other = lines.findIndex((line, index) => index > first && index !== last && line.text === begin);
  if (other !== -1)
    throw refusal(
      'resource.failed',
      `${path}: line ${other + 1} is a second begin marker, after that in line ${first + 1}`,
    );
  return { first, last };
}

/** The lines of a wanted block; a line end after the last is not another line. */
function linesOf(block: string): string[] {
  if (block === '') return [];
  return block.replace(/\n$/, '').split('\n').map(bareText);
}

function textOf(lines: readonly Line[]): string {
  return lines.map((line) => line.text).join('\n');
}
