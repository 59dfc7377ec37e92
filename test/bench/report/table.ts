/**
 * Figures as text: a line for a terminal, a table in Markdown, a line of JSON.
 * Invariant: every form says of a budget whether it is met, or why nobody can say.
 * Never decides what a budget is.
 */

import { type Bench, type Figure, isMet, limitOf, type Unit } from '../bench.ts';

/** What a bench gave; a problem instead of figures where it failed. */
export interface Outcome {
  readonly bench: Pick<Bench, 'name' | 'summary'>;
  readonly figures: readonly Figure[];
  readonly problem?: string | undefined;
  readonly seconds: number;
}

/** The figure on a terminal. */
export function textLine(figure: Figure): string {
  const shown = amount(figure.value, figure.unit).padStart(12);
  return `  ${figure.name.padEnd(66)}${shown}  ${[verdict(figure), rivals(figure)].filter(Boolean).join('; ')}\n`;
}

/** The figure for programs. */
export function jsonLine(bench: string, figure: Figure): string {
  return `${JSON.stringify({ bench, ...figure, limit: limitOf(figure), met: isMet(figure) })}\n`;
}

/** All figures as Markdown, a table a bench. */
export function markdown(outcomes: readonly Outcome[], about: string): string {
  return [`# Figures\n\n${about}\n`, ...outcomes.map(section)].join('\n');
}

function section({ bench, figures, problem, seconds }: Outcome): string {
  const rows = figures.map((figure) => {
    const { name, value, unit, budget } = figure;
    const limit = limitOf(figure);
    const allowed =
      limit === undefined
        ? ''
        : `${budget !== undefined && 'least' in budget ? '≥' : '≤'} ${amount(limit, unit)}`;
    const met = isMet(figure);
    return `| ${name} | ${amount(value, unit)} | ${allowed} | ${met === undefined ? '' : met ? 'yes' : '**no**'} | ${rivals(figure)} |`;
  });
  return [
    `## ${bench.name}\n\n${bench.summary}. It took ${Math.round(seconds)} s.\n`,
    ...(problem === undefined ? [] : [`Failed: ${problem.split('\n')[0]}\n`]),
    '| figure | value | budget | met | beside it |\n|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

function verdict(figure: Figure): string {
  const { budget, unit } = figure;
  if (budget === undefined) return '';
  const limit = limitOf(figure);
  if (limit === undefined) return `not judged: ${'of' in budget ? budget.of : ''} did not run`;
  const sign = 'least' in budget ? '≥' : '≤';
  return `${isMet(figure) ? 'met' : 'NOT MET'} (${sign} ${amount(limit, unit)})`;
}

function rivals({ beside = {}, value, unit }: Figure): string {
  return Object.entries(beside)
    .map(([name, theirs]) => `${name} ${amount(theirs, unit)}${unit === 'ms' ? ratio(theirs / value) : ''}`)
    .join(', ');
}

function ratio(times: number): string {
  return times >= 10 ? ` (${Math.round(times)} ×)` : ` (${times.toFixed(2)} ×)`;
}

/** A value with its unit, in digits that mean something; long times in seconds, many bytes in thousands. */
export function amount(value: number, unit: Unit): string {
  if (unit === 'ms' && value >= 1000) return `${digits(value / 1000)} s`;
  if (unit === 'B' && value >= 10_000) return `${digits(value / 1000)} kB`;
  return unit === 'count' ? digits(value) : `${digits(value)} ${unit}`;
}

function digits(value: number): string {
  if (Number.isInteger(value) || value >= 100) return Math.round(value).toLocaleString('en');
  return value.toFixed(value < 10 ? 2 : 1);
}
