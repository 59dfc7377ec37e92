/**
 * Text with places for registered results, such as `kernel is {{ probe.stdout }}`.
 * Invariant: parts stand in the order of the text; a text without places is one part.
 * Pure.
 */

import type { Expression } from '../../../agent/protocol/expression.ts';
import type { Tools } from './tools.ts';

const place = /\{\{(.*?)\}\}/gsu;

/** Strings and expressions in turn. */
export function messageParts(text: string, tools: Tools): (string | Expression)[] {
  const parts: (string | Expression)[] = [];
  let from = 0;
  for (const found of text.matchAll(place)) {
    if (found.index > from) parts.push(text.slice(from, found.index));
    const expression = tools.condition('message', found[1]);
    if (expression !== undefined) parts.push(expression);
    from = found.index + found[0].length;
  }
  if (from < text.length || parts.length === 0) parts.push(text.slice(from));
  return parts;
}
