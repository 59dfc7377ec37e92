/**
 * A small aligned table.
 * Invariant: no row is wider than the width; where something must give, the widest column that may shrink does.
 * Pure.
 */

import { cutToWidth, displayWidth, padToWidth } from '../../report/display-width.ts';
import { type Line, type Span, spanText, toned } from '../../report/line.ts';
import type { Style } from '../../report/style.ts';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** May be cut, down to this many columns. Columns without it keep their width. */
  readonly least?: number;
}

export interface Table {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Span[])[];
  readonly indent?: number;
}

const gap = 2;

/** The table as lines: titles first, unless every title is empty. */
export function tableLines(table: Table, style: Style, width: number): Line[] {
  const { columns, rows } = table;
  if (rows.length === 0) return [];
  const indent = table.indent ?? 0;
  const room = width - indent - gap * (columns.length - 1);
  const widths = fitColumns(columns, naturalWidths(table, style), room);
  const titled = columns.some(({ title }) => title !== '');
  const head = columns.map(({ title }) => toned('dim', title));
  return (titled ? [head, ...rows] : rows).map((row) => rowLine(row, columns, { widths, indent, style }));
}

function naturalWidths({ columns, rows }: Table, style: Style): number[] {
  return columns.map(({ title }, index) => {
    const cells = rows.map((row) => displayWidth(style.clean(spanText(row[index] ?? ''))));
    return cells.reduce((widest, cell) => Math.max(widest, cell), displayWidth(title));
  });
}

function fitColumns(columns: readonly Column[], natural: readonly number[], room: number): number[] {
  const widths = [...natural];
  const sum = (): number => widths.reduce((total, width) => total + width, 0);
  for (let over = sum() - room; over > 0; over = sum() - room) {
    let widest = -1;
    for (const [index, { least }] of columns.entries()) {
      const width = widths[index] ?? 0;
      if (least !== undefined && width > least && width > (widths[widest] ?? 0)) widest = index;
    }
    if (widest < 0) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

interface RowLayout {
  readonly widths: readonly number[];
  readonly indent: number;
  readonly style: Style;
}

function rowLine(row: readonly Span[], columns: readonly Column[], layout: RowLayout): Line {
  const { widths, indent, style } = layout;
  const last = columns.length - 1;
  const cells = columns.flatMap(({ align }, index): Span[] => {
    const span = row[index] ?? '';
    const shaped = shapeCell(spanText(span), {
      columns: widths[index] ?? 0,
      align,
      fill: index < last,
      style,
    });
    const cell = typeof span === 'string' ? shaped : toned(span.tone, shaped);
    return index === 0 ? [cell] : [' '.repeat(gap), cell];
  });
  return indent === 0 ? cells : [' '.repeat(indent), ...cells];
}

interface CellShape {
  readonly columns: number;
  readonly align: Column['align'];
  readonly fill: boolean;
  readonly style: Style;
}

function shapeCell(text: string, shape: CellShape): string {
  const { columns, align, fill, style } = shape;
  const clean = style.clean(text);
  const ellipsis = style.clean('…');
  const width = displayWidth(clean);
  const fitted = width <= columns ? clean : cutToWidth(clean, columns - ellipsis.length) + ellipsis;
  if (align === 'right') return ' '.repeat(Math.max(0, columns - displayWidth(fitted))) + fitted;
  return fill ? padToWidth(fitted, columns) : fitted;
}
