/**
 * `facts HOST`: what was observed about a host, as a tree.
 * Invariant: every fact is shown; one that could not be read says so.
 * Pure; all text is the host's and is made safe where it is painted.
 */

import type { Json } from '../../../agent/protocol/json.ts';
import type { Problem } from '../../../agent/protocol/problem.ts';
import { hanging, type Line, paintLines, toned } from '../../report/line.ts';
import { problemLines } from '../../report/problem-text.ts';
import type { Style } from '../../report/style.ts';
import { relativeTime } from '../../report/time-text.ts';
import { valueText } from './value-text.ts';

export interface FactsData {
  readonly host: string;
  readonly facts: { readonly [name: string]: Json };
  readonly problems: readonly Problem[];
  /** ISO 8601 of when they were read; left out when just now. */
  readonly at?: string | undefined;
  readonly now: number;
}

/** The facts. */
export function factsView(data: FactsData, style: Style, width: number): string[] {
  const when = data.at === undefined ? '' : `  read ${relativeTime(data.at, data.now)}`;
  const look = { style, width };
  const lines = [
    [toned('strong', data.host), toned('dim', when)],
    ...Object.entries(data.facts).flatMap(([name, value]) => branch(name, value, { ...look, indent: 2 })),
    ...data.problems.flatMap((problem) => problemLines(problem, { ...look, known: { host: data.host } })),
  ];
  return paintLines(lines, style, width);
}

interface Branch {
  readonly style: Style;
  readonly width: number;
  readonly indent: number;
}

function branch(name: string, value: Json, at: Branch): Line[] {
  const lead: Line = [' '.repeat(at.indent), toned('accent', name)];
  if (value === null) return [[...lead, toned('dim', '  not known')]];
  if (typeof value !== 'object') return hanging([...lead, '  '], valueText(value), at);
  const inline = JSON.stringify(value);
  const isShort = at.indent > 2 && inline.length <= 48 && !inline.slice(1).includes('{');
  if (isShort || inline.length <= 2 || at.indent > 24) return hanging([...lead, '  '], inline, at);
  const below = { ...at, indent: at.indent + 2 };
  return [
    lead,
    ...Object.entries(value as { readonly [key: string]: Json }).flatMap(([key, inner]) =>
      branch(key, inner, below),
    ),
  ];
}
