/**
 * `plan`: which hosts and roles a run would touch, why, and what each role wants there.
 * Invariant: hosts with equal plans and reasons are one entry; what was not planned for lack of facts is said.
 * Pure; a plan without a host's answer lists what is wanted, not what would change.
 */

import type { PlannedResource } from '../../../agent/protocol/plan.ts';
import type { Place, Problem } from '../../../agent/protocol/problem.ts';
import type { Affected, RevisionInfo } from '../../base/event.ts';
import { actionMark, entryLines } from '../../report/change-text.ts';
import { counted, hostList } from '../../report/host-list.ts';
import { type Line, lineWidth, paintLines, toned } from '../../report/line.ts';
import { placeText, problemLines } from '../../report/problem-text.ts';
import { runTitle, whyText } from '../../report/run-words.ts';
import type { Style } from '../../report/style.ts';

/** How one resource of the plan differs from the plan that was applied last. */
export interface PlannedChange {
  readonly resource: PlannedResource['id'];
  readonly difference: 'new' | 'changed' | 'same' | 'gone';
  /** What differs: `content, mode 0644 → 0640`. */
  readonly details?: string | undefined;
  /** Unified difference of text content. */
  readonly diff?: string | undefined;
  readonly place?: Place | undefined;
}

export interface PlannedPair extends Affected {
  readonly resources: readonly PlannedChange[];
}

export interface PlanData {
  readonly environment: string;
  readonly revision?: RevisionInfo | undefined;
  readonly pairs: readonly PlannedPair[];
  /** Pairs that need nothing. */
  readonly current: number;
  /** Pairs that cannot be planned before facts are read. */
  readonly needFacts: readonly { readonly host: string; readonly role: string }[];
  readonly problems: readonly Problem[];
  /** 0: what differs; 1: all resources and whole differences. */
  readonly verbosity: number;
}

interface Group {
  readonly role: string;
  readonly pairs: PlannedPair[];
}

/** The plan. */
export function planView(data: PlanData, style: Style, width: number): string[] {
  const look = { style, width };
  const title = runTitle(data.environment, data.revision);
  const groups = grouped(data.pairs);
  if (groups.length === 0 && data.problems.length === 0 && data.needFacts.length === 0) {
    const current = counted(data.current, 'role run');
    return paintLines(
      [[toned('good', '✓ '), ...title, ': nothing to do ', toned('dim', `(${current} up to date)`)]],
      style,
      width,
    );
  }
  const lines: Line[] = [title, []];
  for (const group of groups) lines.push(...groupLines(group, data, look), []);
  lines.push(...factLines(data, look), ...data.problems.flatMap((problem) => problemLines(problem, look)));
  const hosts = new Set(data.pairs.map(({ host }) => host)).size;
  const touched = `${counted(data.pairs.length, 'role run')} on ${counted(hosts, 'host')} would be sent`;
  lines.push([toned('change', touched), toned('dim', ` · ${data.current} up to date · nothing was touched`)]);
  return paintLines(lines, style, width);
}

function grouped(pairs: readonly PlannedPair[]): Group[] {
  const groups = new Map<string, Group>();
  for (const pair of pairs) {
    const key = JSON.stringify([pair.role, pair.reason, pair.detail, pair.resources]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { role: pair.role, pairs: [pair] });
    else group.pairs.push(pair);
  }
  return [...groups.values()];
}

interface Look {
  readonly style: Style;
  readonly width: number;
}

function groupLines(group: Group, data: PlanData, { style, width }: Look): Line[] {
  const hosts = group.pairs.map(({ host }) => host);
  const head: Line = [toned('strong', group.role), '  '];
  const names = hostList(hosts, width - lineWidth(head, style), style);
  const all = group.pairs[0]?.resources ?? [];
  const shown = data.verbosity > 0 ? all : all.filter(({ difference }) => difference !== 'same');
  const entries = shown.map((change) => entry(change, data.verbosity));
  const rest = all.length - shown.length;
  const diffLines = data.verbosity > 0 ? undefined : 16;
  return [
    [...head, names],
    [toned('dim', `  ${whyText(group.pairs)}`)],
    ...entryLines(entries, { style, width, indent: 2, dry: true, diffLines }),
    ...(rest > 0 ? [[toned('dim', `  · ${counted(rest, 'resource')} as last applied`)]] : []),
  ];
}

function entry(change: PlannedChange, verbosity: number): Parameters<typeof entryLines>[0][number] {
  const { difference, details, diff, place } = change;
  const marks = { new: 'create', changed: 'update', same: 'same', gone: 'remove' } as const;
  const words = { new: 'new', changed: 'changed', same: '', gone: 'no longer managed' } as const;
  const where = verbosity > 0 ? placeText(place) : '';
  return {
    mark: actionMark(marks[difference]),
    resource: change.resource,
    details: [details ?? words[difference], where].filter((part) => part !== '').join('  '),
    diffs: diff === undefined ? [] : [diff],
  };
}

function factLines({ needFacts }: PlanData, { style, width }: Look): Line[] {
  if (needFacts.length === 0) return [];
  const hosts = [...new Set(needFacts.map(({ host }) => host))];
  const roles = [...new Set(needFacts.map(({ role }) => role))].join(', ');
  const head: Line = [actionMark('unknown'), ' '];
  return [
    [...head, hostList(hosts, width - 2, style)],
    [
      toned(
        'unknown',
        `  cannot know yet: ${roles} reads facts that nobody has read; check or apply asks the hosts`,
      ),
    ],
    [],
  ];
}
