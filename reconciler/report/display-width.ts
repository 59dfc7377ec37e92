/**
 * How many columns text takes on a terminal, and cutting or padding it to so many.
 * Invariant: a cut never splits a character that is shown as one.
 * Pure; expects text that escape.ts has made safe.
 */

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });
const plain = /^[\x20-\x7e]*$/;
const emoji = /\p{Emoji_Presentation}|\ufe0f/u;
const zero = /^[\p{M}\p{Cf}]$/u;
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18dff}\u{1b000}-\u{1b2ff}\u{1f200}-\u{1f2ff}\u{20000}-\u{3fffd}]/u;

/** Columns of a text. */
export function displayWidth(text: string): number {
  if (plain.test(text)) return text.length;
  let width = 0;
  for (const { segment } of segmenter.segment(text)) width += clusterWidth(segment);
  return width;
}

/** The longest beginning that takes at most `columns`. */
export function cutToWidth(text: string, columns: number): string {
  if (plain.test(text)) return text.slice(0, Math.max(0, columns));
  let width = 0;
  let end = 0;
  for (const { segment, index } of segmenter.segment(text)) {
    width += clusterWidth(segment);
    if (width > columns) break;
    end = index + segment.length;
  }
  return text.slice(0, end);
}

/** The text with spaces behind it up to `columns`. */
export function padToWidth(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - displayWidth(text)));
}

function clusterWidth(cluster: string): number {
  if (emoji.test(cluster)) return 2;
  let width = 0;
  for (const character of cluster) {
    if (zero.test(character)) continue;
    width += wide.test(character) ? 2 : 1;
  }
  return width;
}
