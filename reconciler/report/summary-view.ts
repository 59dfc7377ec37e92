/**
 * The end of a run for people: what changed where and why, what failed and what to do, who was not reached, totals.
 * Invariant: hosts with equal changes are one entry; a run that found nothing to do is one line.
 * Pure.
 */

import type { Affected, RunSummary } from '../base/event.ts';
import { reportLines } from './change-text.ts';
import { counted, hostList } from './host-list.ts';
import { flow, hanging, type Line, lineWidth, toned } from './line.ts';
import { problemLines } from './problem-text.ts';
import { countItems, isDry, runTitle, shortRevision, whyText } from './run-words.ts';
import type { Style } from './style.ts';
import type { ChangeGroup, FailureGroup, RunView } from './terminal-state.ts';
import { durationText } from './time-text.ts';

export interface ViewOptions {
  readonly style: Style;
  readonly width: number;
  /** -1 (what changed is left out), 0, 1 (-v) or 2 (-vv). */
  readonly verbosity: number;
}

const quietDiffLines = 16;
const quietGroups = 30;
const quietNames = 10;

/** The whole summary. Needs the run's own summary, so it comes after run-finished. */
export function summaryLines(view: RunView, options: ViewOptions): Line[] {
  if (isQuiet(view)) return [quietLine(view)];
  const sections = [
    options.verbosity < 0 ? [] : changeSections(view, options),
    releasedLines(view, options),
    failureSections(view, options),
    problemSections(view, options),
    waitingLines(view, options),
    totals(view, options),
  ].filter((section) => section.length > 0);
  return sections.flatMap((section, index) => (index === 0 ? section : [[], ...section]));
}

/** Whether the run ended without anything a person must read. */
export function isQuiet(view: RunView): boolean {
  const outcome = view.summary?.outcome;
  const clean = outcome === 'nothing-to-do' || outcome === 'done';
  const silent = view.changes.size + view.failures.size + view.problems.length + view.released.length === 0;
  const hosts = view.summary?.hosts;
  return clean && silent && (hosts?.unreachable.length ?? 0) + (hosts?.waiting.length ?? 0) === 0;
}

function quietLine(view: RunView): Line {
  const time = durationText(view.summary?.milliseconds ?? 0);
  const found = { apply: 'nothing to do', check: 'nothing would change', 'drift-report': 'no drift' };
  const said = view.pairsDone > 0 && view.mode === 'apply' ? 'no changes' : undefined;
  const words = said ?? (view.mode === 'drift-correct' ? 'no drift' : found[view.mode]);
  const checked = view.pairsDone > 0 ? `${counted(view.hosts.size, 'host')} looked at, ` : '';
  return [
    toned('good', '✓ '),
    ...runTitle(view.environment, view.revision && { ...view.revision, author: '' }),
    `: ${words} `,
    toned('dim', `(${checked}${time})`),
  ];
}

function changeSections(view: RunView, options: ViewOptions): Line[] {
  const reasons = reasonIndex(view);
  const groups = [...view.changes.values()];
  const shown = options.verbosity > 0 ? groups : largest(groups);
  const lines = shown.flatMap((group, index) => [
    ...(index === 0 ? [] : [[]]),
    ...groupHead(group, reasons, options),
    ...reportLines(group.reports, {
      ...options,
      indent: 2,
      dry: group.dry,
      diffLines: options.verbosity > 0 ? undefined : quietDiffLines,
    }),
  ]);
  return [...lines, ...moreGroups(groups.length - shown.length, view)];
}

/** In the order of the run; where they are too many, those that stand for the most hosts. */
function largest<T extends { readonly hosts: readonly string[] }>(groups: readonly T[]): readonly T[] {
  if (groups.length <= quietGroups) return groups;
  return [...groups].sort((a, b) => b.hosts.length - a.hosts.length).slice(0, quietGroups);
}

function moreGroups(hidden: number, view: RunView): Line[] {
  if (hidden <= 0) return [];
  return [[], [toned('dim', `… ${hidden} more like these; towline show ${view.run} -v has all`)]];
}

type Reasons = ReadonlyMap<string, Affected>;

function reasonIndex(view: RunView): Reasons {
  const affected = view.planned?.affected ?? [];
  return new Map(affected.map((pair) => [`${pair.role}\n${pair.host}`, pair]));
}

function groupHead(group: ChangeGroup, reasons: Reasons, options: ViewOptions): Line[] {
  const { style, width } = options;
  const tag = driftTag(group);
  const room = Math.max(16, width - lineWidth([group.role, '  ', tag], style));
  const head: Line = [
    toned('strong', group.role),
    '  ',
    hostList(group.hosts, room, style),
    ...(tag === '' ? [] : [toned('warn', tag)]),
  ];
  const why = group.drift
    ? ''
    : whyText(group.hosts.flatMap((host) => reasons.get(`${group.role}\n${host}`) ?? []));
  if (why === '') return [head];
  const line: Line = [...head, toned('dim', `  ${why}`)];
  if (lineWidth(line, style) <= width) return [line];
  return [head, ...hanging(['  '], why, { style, width, tone: 'dim' })];
}

function driftTag(group: ChangeGroup): string {
  if (!group.drift) return group.dry ? '  would change' : '';
  return group.dry ? '  drift found' : '  drift corrected';
}

function releasedLines(view: RunView, { style, width, verbosity }: ViewOptions): Line[] {
  const roles = new Map<string, { readonly hosts: string[]; count: number; readonly names: Set<string> }>();
  for (const { host, role, resources } of view.released) {
    const group = roles.get(role) ?? { hosts: [], count: 0, names: new Set() };
    group.hosts.push(host);
    group.count += resources.length;
    for (const resource of resources) group.names.add(resource);
    roles.set(role, group);
  }
  return [...roles].flatMap(([role, { hosts, count, names }]) => {
    const lead: Line = [toned('removed', '− '), toned('strong', role), '  '];
    const where = hostList(hosts, Math.max(16, width - 40), style);
    const what = `no longer wanted on ${where}; ${counted(count, 'resource')} stay there, unmanaged`;
    const which = leftNames([...names], verbosity);
    return [
      ...hanging(lead, what, { style, width }),
      ...hanging(['    '], which, { style, width, tone: 'dim' }),
    ];
  });
}

/** What a person decides about now: by name, and all of it when asked for. */
function leftNames(names: readonly string[], verbosity: number): string {
  const shown = verbosity > 0 ? names : names.slice(0, quietNames);
  const more = names.length - shown.length;
  return shown.join(', ') + (more > 0 ? ` and ${more} more` : '');
}

function failureSections(view: RunView, options: ViewOptions): Line[] {
  const groups = [...view.failures.values()].sort((a, b) => Number(a.unreachable) - Number(b.unreachable));
  const shown = options.verbosity > 0 ? groups : largest(groups);
  const lines = shown.flatMap((group, index) => [
    ...(index === 0 ? [] : [[]]),
    ...failureLines(group, options),
  ]);
  return [...lines, ...moreGroups(groups.length - shown.length, view)];
}

function failureLines(group: FailureGroup, options: ViewOptions): Line[] {
  const { style, width } = options;
  const what = group.unreachable ? 'unreachable' : 'failed';
  const head: Line = [
    toned('bad', what),
    '  ',
    ...(group.role === undefined ? [] : [toned('strong', group.role), '  ']),
  ];
  const room = Math.max(16, width - lineWidth(head, style));
  const { host, ...where } = group.problem.where ?? {};
  const problem = {
    ...group.problem,
    where: group.hosts.length > 1 || host === group.hosts[0] ? where : { host, ...where },
  };
  return [
    [...head, hostList(group.hosts, room, style)],
    ...problemLines(problem as typeof group.problem, {
      style,
      width,
      indent: 2,
      known: { ...(group.role === undefined ? {} : { role: group.role }) },
    }),
  ];
}

function problemSections(view: RunView, options: ViewOptions): Line[] {
  const known = { environment: view.environment };
  const stopping = view.summary?.problem;
  const told = [...view.problems, ...[...view.failures.values()].map(({ problem }) => problem)];
  const isTold = told.some((one) => one.code === stopping?.code && one.message === stopping.message);
  const all = stopping === undefined || isTold ? view.problems : [...view.problems, stopping];
  return all.flatMap((problem) => problemLines(problem, { ...options, known }));
}

function waitingLines(view: RunView, options: ViewOptions): Line[] {
  const waiting = view.summary?.hosts.waiting ?? [];
  if (waiting.length === 0) return [];
  const head: Line = [toned('warn', 'waiting'), '  '];
  const room = options.width - lineWidth(head, options.style) - 20;
  return [[...head, hostList(waiting, room, options.style), toned('dim', '  not tried in this run')]];
}

function totals(view: RunView, options: ViewOptions): Line[] {
  const { summary } = view;
  if (summary === undefined) return [];
  const dry = isDry(view.mode);
  return [
    [...outcomeSpans(view), toned('dim', `  ${durationText(summary.milliseconds)}`)],
    ...flow(['  hosts      '], hostItems(summary.hosts, dry), options),
    ...flow(['  resources  '], countItems(summary.resources, dry), options),
  ];
}

function hostItems(hosts: RunSummary['hosts'], dry: boolean): Line[] {
  const parts = [
    { names: hosts.changed, tone: 'change', word: dry ? 'would change' : 'changed' },
    { names: hosts.failed, tone: 'bad', word: 'failed' },
    { names: hosts.unreachable, tone: 'bad', word: 'unreachable' },
    { names: hosts.waiting, tone: 'warn', word: 'waiting' },
    { names: hosts.unchanged, tone: 'dim', word: 'unchanged' },
  ] as const;
  return parts.flatMap(({ names, tone, word }) =>
    names.length === 0 ? [] : [[toned(tone, `${names.length} ${word}`)]],
  );
}

/** The verdict comes before the commit's subject, which may be cut. */
function outcomeSpans(view: RunView): Line {
  const outcome = view.summary?.outcome ?? 'done';
  const good = outcome === 'done' || outcome === 'nothing-to-do';
  const words = {
    'nothing-to-do': 'nothing to do',
    done: isDry(view.mode) ? 'dry run, nothing was touched' : 'done',
    failed: 'failed',
    stalled: 'stalled, the last good revision stays in force',
    cancelled: 'cancelled',
  }[outcome];
  const revision = view.revision === undefined ? '' : ` ${shortRevision(view.revision.id)}`;
  return [
    toned(good ? 'good' : 'bad', good ? '✓ ' : '✗ '),
    toned('strong', view.environment),
    toned('accent', revision),
    ' ',
    toned(good ? 'good' : 'bad', words),
  ];
}
