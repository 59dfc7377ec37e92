/**
 * `inventory`: the groups and hosts, and with -v each host's variables with where they come from.
 * Invariant: every host given is shown once.
 * Pure.
 */

import { counted, hostList } from '../../report/host-list.ts';
import { type Line, paintLines, toned } from '../../report/line.ts';
import type { Style } from '../../report/style.ts';
import { tableLines } from './table.ts';
import { type VariableRow, variableCells } from './value-text.ts';

export interface InventoryHost {
  readonly name: string;
  readonly groups: readonly string[];
  /** How it is reached: `deploy@10.0.0.7:22 via bastion`. */
  readonly address?: string | undefined;
  readonly variables: readonly VariableRow[];
}

export interface InventoryData {
  readonly hosts: readonly InventoryHost[];
  readonly groups: readonly {
    readonly name: string;
    readonly children: readonly string[];
    readonly hosts: readonly string[];
  }[];
  /** Variables of each host too (-v, or one host asked for). */
  readonly variables: boolean;
}

/** Groups, then hosts. */
export function inventoryView(data: InventoryData, style: Style, width: number): string[] {
  if (data.hosts.length === 0) return paintLines([['No host matches.']], style, width);
  const groups = data.groups.map((group) => [
    toned('strong', group.name),
    toned('dim', counted(group.hosts.length, 'host')),
    hostList(group.hosts, Math.max(16, width - 40), style) +
      (group.children.length > 0 ? `  (${group.children.join(', ')})` : ''),
  ]);
  const groupColumns = [{ title: 'group', least: 8 }, { title: '' }, { title: 'hosts', least: 12 }];
  const lines = [
    ...tableLines({ columns: groupColumns, rows: groups }, style, width),
    ...(groups.length > 0 ? [[]] : []),
    ...(data.variables ? hostBlocks(data.hosts, style, width) : hostTable(data.hosts, style, width)),
  ];
  return paintLines(lines, style, width);
}

function hostTable(hosts: readonly InventoryHost[], style: Style, width: number): Line[] {
  const columns = [
    { title: 'host', least: 10 },
    { title: 'reached at', least: 10 },
    { title: 'groups', least: 8 },
  ];
  const rows = hosts.map((host) => [
    toned('strong', host.name),
    host.address ?? '',
    toned('dim', plainGroups(host)),
  ]);
  return tableLines({ columns, rows }, style, width);
}

function hostBlocks(hosts: readonly InventoryHost[], style: Style, width: number): Line[] {
  const columns = [
    { title: '', least: 10 },
    { title: '', least: 12 },
    { title: '', least: 12 },
  ];
  return hosts.flatMap((host, index) => {
    const rows = host.variables.map(variableCells);
    return [
      ...(index === 0 ? [] : [[]]),
      [toned('strong', host.name), `  ${host.address ?? ''}`, toned('dim', `  ${plainGroups(host)}`)],
      ...tableLines({ columns, rows, indent: 2 }, style, width),
    ];
  });
}

function plainGroups(host: InventoryHost): string {
  return host.groups.filter((group) => group !== 'all').join(', ');
}
