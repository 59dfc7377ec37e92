/**
 * A Problem for people: what and where, the chain of causes, the last lines seen, and what to do.
 * Invariant: every part of the problem is shown, wrapped to the width; nothing else is said.
 * Pure.
 */

import type { Place, Problem } from '../../agent/protocol/problem.ts';
import { hanging, type Line, toned } from './line.ts';
import type { Style } from './style.ts';

export interface ProblemTextOptions {
  readonly style: Style;
  readonly width: number;
  /** Spaces in front of every line. */
  readonly indent?: number;
  /** Parts of the place that the lines around already say. */
  readonly known?: Place;
  /** Most of the last lines shown; the older ones are left out. */
  readonly lastLines?: number;
}

/** A problem as lines. */
export function problemLines(problem: Problem, options: ProblemTextOptions): Line[] {
  const { style, width } = options;
  const indent = ' '.repeat(options.indent ?? 0);
  const lines: Line[] = [];
  const place = placeText(problem.where, options.known);
  lines.push([indent, toned('bad', '✗ '), toned('strong', problem.code), place === '' ? '' : `  ${place}`]);
  for (const paragraph of problem.message.split('\n')) {
    lines.push(...hanging([`${indent}  `], paragraph, { style, width }));
  }
  lines.push(...causeLines(problem, options, indent));
  lines.push(...lastLines(problem, options, indent));
  if (problem.hint !== '') {
    lines.push(...hanging([`${indent}  `, toned('accent', '→ ')], problem.hint, { style, width }));
  }
  return lines;
}

/** A place on one line: `file:line:column`, then host, role and resource. */
export function placeText(where: Place | undefined, known: Place = {}): string {
  if (where === undefined) return '';
  const { file, line, column } = where;
  const position = [file, line, column].filter((part) => part !== undefined).join(':');
  const names = (['environment', 'host', 'role', 'resource'] as const).flatMap((key) => {
    const value = where[key];
    return value === undefined || value === known[key] ? [] : [value];
  });
  return [...(file === undefined ? [] : [position]), ...names].join(' · ');
}

function causeLines(problem: Problem, options: ProblemTextOptions, indent: string): Line[] {
  const { style, width } = options;
  const lines: Line[] = [];
  let cause = problem.cause;
  for (let depth = 1; cause !== undefined && depth <= 8; depth += 1) {
    const place = placeText(cause.where, { ...options.known, ...problem.where });
    const text = `${cause.code}: ${cause.message}${place === '' ? '' : ` (${place})`}`;
    const lead = [indent, ' '.repeat(depth * 2), toned('dim', 'because ')];
    lines.push(...hanging(lead, text.replaceAll('\n', ' '), { style, width }));
    cause = cause.cause;
  }
  return lines;
}

function lastLines(problem: Problem, options: ProblemTextOptions, indent: string): Line[] {
  const last = (deepestLines(problem) ?? []).slice(-(options.lastLines ?? 20));
  return last.map((text): Line => [`${indent}    `, toned('dim', text)]);
}

function deepestLines(problem: Problem): readonly string[] | undefined {
  if (problem.lines !== undefined && problem.lines.length > 0) return problem.lines;
  return problem.cause === undefined ? undefined : deepestLines(problem.cause);
}
