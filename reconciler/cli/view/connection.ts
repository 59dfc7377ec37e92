/**
 * `explain HOST --connection`: each host on the way with what is in force and who says so.
 * Invariant: no secret arrives here, and none is spelled out.
 * Pure.
 */

import type { Json } from '../../../agent/protocol/json.ts';
import type { ExplainedHop, ExplainedSetting, Origin } from '../../../inventory/explain-connection.ts';
import { type Line, paintLines, type Span, toned } from '../../report/line.ts';
import type { Style } from '../../report/style.ts';
import { tableLines } from './table.ts';
import { valueText } from './value-text.ts';

export interface ConnectionData {
  readonly environment: string;
  readonly host: string;
  /** The role whose wish counts. */
  readonly role?: string | undefined;
  /** The host first, then the way to it. */
  readonly hops: readonly ExplainedHop[];
  /** What holds for every connection of this controller. */
  readonly controller: readonly ExplainedSetting[];
}

/** The table of every hop, then that of the controller. Long values are not cut: what they are is the answer. */
export function connectionView(data: ConnectionData, style: Style): string[] {
  const [first, ...others] = data.hops;
  const title = [data.host, ...(data.role === undefined ? [] : [data.role])].join(' · ');
  const sections: readonly (readonly [Line, readonly ExplainedSetting[]])[] = [
    [[toned('strong', title), toned('dim', `  ${data.environment}`)], first?.settings ?? []],
    ...others.map(
      ({ host, settings }) => [[toned('dim', 'by way of '), toned('strong', host)], settings] as const,
    ),
    [[toned('strong', 'this controller')], data.controller],
  ];
  const width = Number.MAX_SAFE_INTEGER;
  const columns = [{ title: '' }, { title: '' }, { title: '' }];
  const lines = sections.flatMap(([head, settings], index) => [
    ...(index === 0 ? [] : [[]]),
    head,
    ...tableLines({ columns, rows: settings.flatMap(rows), indent: 2 }, style, width),
  ]);
  return paintLines(lines, style, width);
}

/** A list takes a line for each of its items. */
function rows({ setting, value, origin }: ExplainedSetting): Span[][] {
  const [first = '', ...others] = Array.isArray(value) ? value.map(String) : [shown(value)];
  return [
    [toned('accent', setting), first, toned('dim', originText(origin))],
    ...others.map((other) => ['', other, '']),
  ];
}

function shown(value: Json): string {
  return typeof value === 'string' ? value : valueText(value);
}

/** Who said it, in words. */
export function originText(origin: Origin): string {
  switch (origin.from) {
    case 'role':
      return `role ${origin.role}, connect`;
    case 'inventory':
      return `inventory, ${layerText(origin.layer)}  ${origin.file}:${origin.line}:${origin.column}`;
    case 'defaults':
      return `defaults  ${origin.file}:${origin.line}:${origin.column}`;
    case 'openssh':
      return 'OpenSSH’s configuration';
    case 'built-in':
      return 'built in';
    default:
      return origin satisfies never;
  }
}

function layerText(layer: string): string {
  return layer === 'host' || layer === 'all' ? layer : `group ${layer}`;
}
