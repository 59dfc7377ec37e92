/**
 * A unified diff of two texts, small and bounded.
 * Invariant: work and output are limited whatever comes in; what is over the limit is told as a count of lines.
 * Pure.
 */

import { rawLines } from './text-lines.ts';

const byteLimit = 64 * 1024;
const tableLimit = 1_000_000;
const lineLimit = 100;
const context = 3;

type Edit = readonly [mark: ' ' | '-' | '+', line: string];

/** Unified diff with three lines of context; a sentence when there is too much of it or it is not text. */
export function textDiff(before: Buffer, after: Buffer): string {
  if (isBinary(before) || isBinary(after))
    return `binary content replaced, ${before.length} to ${after.length} bytes`;
  const [a, b] = [rawLines(before.toString()), rawLines(after.toString())];
  const summary = `content replaced, ${a.length} to ${b.length} lines`;
  if (before.length > byteLimit || after.length > byteLimit) return summary;
  const edits = compare(a, b);
  const lines = edits && hunks(edits);
  return !lines || lines.length > lineLimit ? summary : lines.join('\n');
}

function isBinary(bytes: Buffer): boolean {
  return bytes.subarray(0, byteLimit).includes(0);
}

/** All lines with their marks, by longest common subsequence of what differs; undefined when that is too much. */
function compare(a: readonly string[], b: readonly string[]): Edit[] | undefined {
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < Math.min(a.length, b.length) - head && a.at(-1 - tail) === b.at(-1 - tail)) tail += 1;
  const [old, now] = [a.slice(head, a.length - tail), b.slice(head, b.length - tail)];
  if (old.length * now.length > tableLimit) return undefined;
  const same = (line: string): Edit => [' ', line];
  return [...a.slice(0, head).map(same), ...middle(old, now), ...a.slice(a.length - tail).map(same)];
}

function middle(old: readonly string[], now: readonly string[]): Edit[] {
  const width = now.length + 1;
  const longest = new Uint32Array((old.length + 1) * width);
  const at = (i: number, j: number): number => longest[i * width + j] ?? 0;
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = now.length - 1; j >= 0; j -= 1) {
      longest[i * width + j] =
        old[i] === now[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const edits: Edit[] = [];
  for (let i = 0, j = 0; i < old.length || j < now.length; ) {
    if (i < old.length && old[i] === now[j]) {
      edits.push([' ', now[j++] as string]);
      i += 1;
    } else if (i < old.length && (j >= now.length || at(i + 1, j) >= at(i, j + 1))) {
      edits.push(['-', old[i++] as string]);
    } else edits.push(['+', now[j++] as string]);
  }
  return edits;
}

function hunks(edits: readonly Edit[]): string[] {
  const near = edits.map((_, place) =>
    edits.slice(Math.max(0, place - context), place + context + 1).some(([mark]) => mark !== ' '),
  );
  const lines: string[] = [];
  let [oldLine, newLine] = [1, 1];
  for (const [place, [mark, line]] of edits.entries()) {
    if (near[place]) {
      if (!near[place - 1]) lines.push(header(edits, near, place, [oldLine, newLine]));
      lines.push(mark + line.replace(/\n$/, ''));
      if (!line.endsWith('\n')) lines.push('\\ No newline at end of file');
    }
    if (mark !== '+') oldLine += 1;
    if (mark !== '-') newLine += 1;
  }
  return lines;
}

function header(
  edits: readonly Edit[],
  near: readonly boolean[],
  place: number,
  [oldLine, newLine]: readonly [number, number],
): string {
  const end = near.indexOf(false, place);
  const hunk = edits.slice(place, end === -1 ? undefined : end);
  const [olds, news] = ['+', '-'].map((other) => hunk.filter(([mark]) => mark !== other).length);
  return `@@ -${olds ? oldLine : oldLine - 1},${olds} +${news ? newLine : newLine - 1},${news} @@`;
}
