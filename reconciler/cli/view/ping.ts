/**
 * `ping`: which hosts answer, how fast, and what stands in the way of the others.
 * Invariant: hosts that do not answer come last, each with its problem.
 * Pure.
 */

import type { Problem } from '../../../agent/protocol/problem.ts';
import { sortHosts } from '../../report/host-list.ts';
import { type Line, paintLines, type Span, toned } from '../../report/line.ts';
import { problemLines } from '../../report/problem-text.ts';
import type { Style } from '../../report/style.ts';
import { durationText } from '../../report/time-text.ts';
import { tableLines } from './table.ts';

export interface PingAnswer {
  readonly host: string;
  /** Round trip on the open line, milliseconds; left out when it did not answer. */
  readonly milliseconds?: number | undefined;
  /** Until the line was open, milliseconds. */
  readonly connectMilliseconds?: number | undefined;
  /** Account and runtime: `root, node 24.21.0`. */
  readonly about?: string | undefined;
  readonly problem?: Problem | undefined;
}

/** The answers as a table, problems below. */
export function pingView(answers: readonly PingAnswer[], style: Style, width: number): string[] {
  const byName = new Map(answers.map((answer) => [answer.host, answer]));
  const sorted = sortHosts(byName.keys()).flatMap((name) => byName.get(name) ?? []);
  const silent = sorted.filter(({ problem }) => problem !== undefined);
  const columns = [
    { title: '' },
    { title: 'host', least: 10 },
    { title: 'round trip', align: 'right' as const },
    { title: 'connected in', align: 'right' as const },
    { title: '', least: 8 },
  ];
  const rows = sorted.filter(({ problem }) => problem === undefined).map(answerCells);
  const lines: Line[] = [
    ...tableLines({ columns, rows }, style, width),
    ...silent.flatMap(({ host, problem }) => silentLines(host, problem, { style, width })),
    [],
    [toned(silent.length === 0 ? 'good' : 'bad', `${rows.length} of ${sorted.length} hosts answered`)],
  ];
  return paintLines(lines, style, width);
}

function answerCells(answer: PingAnswer): Span[] {
  return [
    toned('good', '✓'),
    toned('strong', answer.host),
    latency(answer.milliseconds),
    toned('dim', answer.connectMilliseconds === undefined ? '' : durationText(answer.connectMilliseconds)),
    toned('dim', answer.about ?? ''),
  ];
}

function latency(milliseconds: number | undefined): string {
  if (milliseconds === undefined) return '';
  return milliseconds < 10 ? `${milliseconds.toFixed(1)} ms` : durationText(milliseconds);
}

function silentLines(
  host: string,
  problem: Problem | undefined,
  look: { style: Style; width: number },
): Line[] {
  if (problem === undefined) return [];
  return [
    [toned('bad', '! '), toned('strong', host)],
    ...problemLines(problem, { ...look, indent: 2, known: { host } }),
  ];
}
