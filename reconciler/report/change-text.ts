/**
 * What changed, for people: resources with their changes aligned, text differences indented below.
 * Invariant: a dry run says "would"; unknown is said as unknown, never left out and never called unchanged.
 * Pure.
 */

import type { Change } from '../../agent/protocol/change.ts';
import type { ResourceReport } from '../../agent/protocol/outcome.ts';
import { displayWidth } from './display-width.ts';
import { escapeLines } from './escape.ts';
import { hanging, type Line, lineWidth, type Span, toned } from './line.ts';
import type { Style, Tone } from './style.ts';

export interface ChangeTextOptions {
  readonly style: Style;
  readonly width: number;
  readonly indent: number;
  readonly dry: boolean;
  /** Most lines of one difference; undefined shows all. */
  readonly diffLines?: number | undefined;
}

/** One resource as it is shown: a mark, its name, and what is said of it. */
export interface Entry {
  readonly mark: Span;
  readonly resource: string;
  readonly details: string;
  readonly diffs: readonly string[];
}

const widestName = 44;
const longestValue = 60;

/** Reports as lines: one entry each, their differences below. */
export function reportLines(reports: readonly ResourceReport[], options: ChangeTextOptions): Line[] {
  return entryLines(
    reports.map((report) => reportEntry(report, options.dry)),
    options,
  );
}

/** Entries as lines, names aligned among themselves. */
export function entryLines(entries: readonly Entry[], options: ChangeTextOptions): Line[] {
  const { style, indent } = options;
  const room = Math.max(12, Math.min(widestName, options.width - indent - 20));
  const widths = entries.map((entry) => displayWidth(style.clean(entry.resource)));
  const column = Math.max(0, ...widths.filter((width) => width <= room));
  return entries.flatMap((entry) => [
    ...entryHead(entry, column, options),
    ...entry.diffs.flatMap((diff) => diffLines(diff, options)),
  ]);
}

/** The mark of a change: what it does to the host. */
export function actionMark(action: Change['action'] | 'failed' | 'unknown' | 'same'): Span {
  const marks: Readonly<Record<typeof action, readonly [Tone, string]>> = {
    create: ['added', '+'],
    update: ['change', '~'],
    remove: ['removed', '−'],
    run: ['accent', '»'],
    failed: ['bad', '✗'],
    unknown: ['unknown', '?'],
    same: ['dim', '·'],
  };
  return toned(...marks[action]);
}

function reportEntry(report: ResourceReport, dry: boolean): Entry {
  const { resource, changes } = report;
  const after = report.handler === undefined ? '' : `  (handler ${report.handler})`;
  if (report.outcome === 'unknown') {
    const why = report.reason ?? 'it depends on something that is not done yet';
    return { mark: actionMark('unknown'), resource, details: `cannot know yet: ${why}${after}`, diffs: [] };
  }
  if (report.outcome === 'failed') {
    const what = report.problem?.message ?? 'no reason given';
    return { mark: actionMark('failed'), resource, details: `failed, ignored: ${what}${after}`, diffs: [] };
  }
  const details = changes.map((change) => changeWords(change, dry)).join(', ');
  const diffs = changes.flatMap(({ diff }) => (diff === undefined ? [] : [diff]));
  return { mark: actionMark(changes[0]?.action ?? 'run'), resource, details: details + after, diffs };
}

function changeWords(change: Change, dry: boolean): string {
  const { action, property, from, to, diff } = change;
  if (diff !== undefined || (from === undefined && to === undefined)) {
    return action === 'update' ? property : `${verb(action, dry)}${property === '' ? '' : ` ${property}`}`;
  }
  if (from === undefined) return `${property} ${value(to)}`;
  if (to === undefined) return `${property} ${value(from)} removed`;
  return `${property} ${value(from)} → ${value(to)}`;
}

function verb(action: Change['action'], dry: boolean): string {
  const verbs = {
    create: ['created', 'create'],
    update: ['updated', 'update'],
    remove: ['removed', 'remove'],
    run: ['ran', 'run'],
  } as const;
  return dry ? `would ${verbs[action][1]}` : verbs[action][0];
}

function value(text: string | undefined): string {
  if (text === undefined || text === '') return '""';
  return text.length > longestValue ? `${text.slice(0, longestValue)}…` : text;
}

function entryHead(entry: Entry, column: number, options: ChangeTextOptions): Line[] {
  const { style, width, indent } = options;
  const name = style.clean(entry.resource);
  const padding = ' '.repeat(Math.max(0, column - displayWidth(name)));
  const lead: Line = [' '.repeat(indent), entry.mark, ' ', entry.resource];
  if (entry.details === '') return [lead];
  const aligned = [...lead, toned('dim', `${padding}  `)];
  const rest = width - lineWidth(aligned, style);
  const needed = displayWidth(style.clean(entry.details));
  if (rest >= needed || rest >= 24) {
    return hanging(aligned, entry.details, { style, width, tone: 'dim' });
  }
  return [lead, ...hanging([' '.repeat(indent + 4)], entry.details, { style, width, tone: 'dim' })];
}

/** A unified difference, indented, without its file header. */
function diffLines(diff: string, options: ChangeTextOptions): Line[] {
  const body = escapeLines(diff).filter((line) => !/^(---|\+\+\+|===|Index:|\\ No newline)/.test(line));
  const limit = options.diffLines ?? body.length;
  const shown = body.length > limit + 1 ? body.slice(0, limit) : body;
  const indent = ' '.repeat(options.indent + 4);
  const lines = shown.map((line): Line => [indent, diffSpan(line)]);
  if (shown.length < body.length) {
    lines.push([indent, toned('dim', `… ${body.length - shown.length} more lines (-v shows all)`)]);
  }
  return lines;
}

function diffSpan(line: string): Span {
  if (line.startsWith('@@')) return toned('dim', line);
  if (line.startsWith('+')) return toned('added', line);
  if (line.startsWith('-')) return toned('removed', line);
  return line;
}
