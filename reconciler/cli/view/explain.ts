/**
 * `explain HOST ROLE [RESOURCE]`: why a host is as it is: what the role read there, what changed, what is managed and where it is written.
 * Invariant: every statement names its file and line where there is one.
 * Pure; now comes with the data.
 */

import type { Json } from '../../../agent/protocol/json.ts';
import type { Place, Problem } from '../../../agent/protocol/problem.ts';
import type { Affected } from '../../base/event.ts';
import { type Line, paintLines, type Span, toned } from '../../report/line.ts';
import { placeText, problemLines } from '../../report/problem-text.ts';
import { shortRevision, whyText } from '../../report/run-words.ts';
import type { Style, Tone } from '../../report/style.ts';
import { relativeTime } from '../../report/time-text.ts';
import { tableLines } from './table.ts';
import { type VariableRow, valueText, variableCells } from './value-text.ts';

/** Something the evaluation read, against the last time it was applied. */
export interface ExplainedInput {
  readonly name: string;
  readonly state: 'same' | 'changed' | 'new' | 'gone';
}

export interface ExplainedResource {
  readonly resource: string;
  readonly place?: Place | undefined;
  readonly tags?: readonly string[] | undefined;
  /** Its parameters; shown when one resource is asked for. */
  readonly wanted?: { readonly [name: string]: Json } | undefined;
  readonly when?: string | undefined;
  readonly notify?: readonly string[] | undefined;
}

export interface ExplainData {
  readonly environment: string;
  readonly host: string;
  readonly role: string;
  /** Why the role is for this host: `group web matches web*`; or why it is not. */
  readonly targeting: string;
  readonly applied?: { readonly at: string; readonly revision: string; readonly run: string } | undefined;
  /** Set when the next run would do something. */
  readonly affected?: Affected | undefined;
  readonly failed?: { readonly at: string; readonly attempts: number; readonly problem: Problem } | undefined;
  readonly variables: readonly VariableRow[];
  readonly inputs: readonly ExplainedInput[];
  readonly resources: readonly ExplainedResource[];
  readonly now: number;
}

/** The explanation. */
export function explainView(data: ExplainData, style: Style, width: number): string[] {
  const look = { style, width };
  const columns = [
    { title: '', least: 12 },
    { title: '', least: 12 },
    { title: '', least: 12 },
  ];
  const table = (rows: readonly (readonly Span[])[]): Line[] =>
    tableLines({ columns, rows, indent: 2 }, style, width);
  const sections: readonly (readonly [string, readonly Line[]])[] = [
    ['variables it reads', table(data.variables.map(variableCells))],
    ['what it read', table(inputRows(data.inputs))],
    ['resources', resourceLines(data.resources, table)],
  ];
  const lines = [
    ...headLines(data, look),
    ...sections.flatMap(([title, body]) =>
      body.length === 0 ? [] : [[], [toned('strong', title)], ...body],
    ),
  ];
  return paintLines(lines, style, width);
}

interface Look {
  readonly style: Style;
  readonly width: number;
}

function headLines(data: ExplainData, look: Look): Line[] {
  const { applied, affected, failed, now, host, role } = data;
  const lines: Line[] = [
    [toned('strong', `${host} · ${role}`), toned('dim', `  ${data.environment}`)],
    [toned('dim', '  wanted   '), data.targeting],
    [toned('dim', '  applied  '), ...appliedSpans(applied, now)],
    [toned('dim', '  next     '), nextSpan(affected)],
  ];
  if (failed === undefined) return lines;
  const tries = failed.attempts === 1 ? 'once' : `${failed.attempts} times in a row`;
  lines.push([toned('dim', '  failed   '), toned('bad', `${tries}, last ${relativeTime(failed.at, now)}`)]);
  return [...lines, ...problemLines(failed.problem, { ...look, indent: 4, known: { host, role } })];
}

function appliedSpans(applied: ExplainData['applied'], now: number): Span[] {
  if (applied === undefined) return [toned('warn', 'never')];
  return [
    toned('accent', shortRevision(applied.revision)),
    ` ${relativeTime(applied.at, now)}`,
    toned('dim', `  run ${applied.run}`),
  ];
}

function nextSpan(affected: Affected | undefined): Span {
  return affected === undefined
    ? toned('good', 'nothing to do')
    : toned('change', `would be sent: ${whyText([affected])}`);
}

function inputRows(inputs: readonly ExplainedInput[]): Span[][] {
  const tones: Readonly<Record<ExplainedInput['state'], Tone>> = {
    same: 'dim',
    changed: 'change',
    new: 'added',
    gone: 'removed',
  };
  const order = ['changed', 'new', 'gone', 'same'] as const;
  return [...inputs]
    .sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state))
    .map(({ name, state }) => [name, toned(tones[state], state === 'same' ? 'as when last applied' : state)]);
}

function resourceLines(
  resources: readonly ExplainedResource[],
  table: (rows: readonly (readonly Span[])[]) => Line[],
): Line[] {
  const rows = resources.map((one): Span[] => [
    one.resource,
    toned('dim', placeText(one.place)),
    toned('dim', resourceNotes(one)),
  ]);
  const only = resources.length === 1 ? resources[0]?.wanted : undefined;
  if (only === undefined) return table(rows);
  const parameters = Object.entries(only).map(([name, value]): Span[] => [
    toned('accent', name),
    valueText(value),
  ]);
  return [...table(rows), ...table(parameters)];
}

function resourceNotes({ when, notify, tags }: ExplainedResource): string {
  return [
    ...(when === undefined ? [] : [`when ${when}`]),
    ...(notify === undefined || notify.length === 0 ? [] : [`notifies ${notify.join(', ')}`]),
    ...(tags === undefined || tags.length === 0 ? [] : [`tags ${tags.join(', ')}`]),
  ].join('; ');
}
