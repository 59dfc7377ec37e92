/**
 * `status`: what is in force where, what holds an environment up, and how its hosts are.
 * Invariant: a stalled, suspended or ended environment says so and why; nothing is left out because it is bad.
 * Pure; now comes with the data.
 */

import type { Problem } from '../../../agent/protocol/problem.ts';
import type { RevisionInfo, RunSummary } from '../../base/event.ts';
import { hostList } from '../../report/host-list.ts';
import { type Line, paintLines, type Span, toned } from '../../report/line.ts';
import { problemLines } from '../../report/problem-text.ts';
import { shortRevision } from '../../report/run-words.ts';
import type { Style, Tone } from '../../report/style.ts';
import { durationText, relativeTime } from '../../report/time-text.ts';
import { tableLines } from './table.ts';

export const hostStates = ['in-sync', 'pending', 'failed', 'unreachable', 'never-applied'] as const;
export type HostState = (typeof hostStates)[number];

export interface HostStatus {
  readonly host: string;
  readonly state: HostState;
  readonly roles: readonly string[];
  /** ISO 8601 of the last success. */
  readonly appliedAt?: string | undefined;
  readonly revision?: string | undefined;
  /** The last failed try. */
  readonly problem?: Problem | undefined;
}

export interface EnvironmentStatus {
  readonly name: string;
  readonly branch: string;
  readonly lastGood?: RevisionInfo | undefined;
  readonly seen?: RevisionInfo | undefined;
  readonly stalled?: { readonly problems: readonly Problem[]; readonly since: string } | undefined;
  readonly suspended?:
    | { readonly reason: string; readonly by: string; readonly until?: string | undefined }
    | undefined;
  readonly endedAt?: string | undefined;
  readonly lastFetchAt?: string | undefined;
  readonly lastDriftAt?: string | undefined;
  readonly lastRun?:
    | { readonly run: string; readonly startedAt: string; readonly summary?: RunSummary | undefined }
    | undefined;
  readonly hosts: readonly HostStatus[];
}

export interface StatusData {
  readonly environments: readonly EnvironmentStatus[];
  readonly now: number;
  /** One row for each host (-v). */
  readonly perHost: boolean;
}

const stateTones: Readonly<Record<HostState, Tone>> = {
  'in-sync': 'good',
  pending: 'warn',
  failed: 'bad',
  unreachable: 'bad',
  'never-applied': 'warn',
};

const stateWords: Readonly<Record<HostState, string>> = {
  'in-sync': 'in sync',
  pending: 'pending',
  failed: 'failed',
  unreachable: 'unreachable',
  'never-applied': 'never applied',
};

/** The environments, one block each. */
export function statusView(data: StatusData, style: Style, width: number): string[] {
  if (data.environments.length === 0)
    return paintLines([['No environment has been seen yet.']], style, width);
  const lines = data.environments.flatMap((environment, index) => [
    ...(index === 0 ? [] : [[]]),
    ...environmentLines(environment, data, { style, width }),
  ]);
  return paintLines(lines, style, width);
}

interface Look {
  readonly style: Style;
  readonly width: number;
}

function environmentLines(environment: EnvironmentStatus, data: StatusData, look: Look): Line[] {
  const { now } = data;
  const lines: Line[] = [
    [headMark(environment), toned('strong', environment.name), toned('dim', `  ${environment.branch}`)],
  ];
  const say = (label: string, ...spans: readonly Span[]): void => {
    lines.push([toned('dim', `  ${label.padEnd(10)}`), ...spans]);
  };
  say('in force', ...revisionSpans(environment.lastGood));
  const isAhead = environment.seen !== undefined && environment.seen.id !== environment.lastGood?.id;
  if (isAhead) say('seen', ...revisionSpans(environment.seen));
  say('hosts', ...hostCountSpans(environment.hosts));
  if (environment.lastRun !== undefined) say('last run', ...lastRunSpans(environment.lastRun, now));
  const looks = looksText(environment, now);
  if (looks !== '') say('looked', looks);
  lines.push(...trouble(environment, now, look), ...troubledHosts(environment, data, look));
  return lines;
}

function headMark({ stalled, suspended, endedAt, hosts }: EnvironmentStatus): Span {
  if (endedAt !== undefined || suspended !== undefined) return toned('dim', '○ ');
  if (stalled !== undefined) return toned('bad', '✗ ');
  const isBad = hosts.some(({ state }) => stateTones[state] === 'bad');
  if (isBad) return toned('bad', '! ');
  return hosts.every(({ state }) => state === 'in-sync') ? toned('good', '✓ ') : toned('warn', '~ ');
}

function revisionSpans(revision: RevisionInfo | undefined): Span[] {
  if (revision === undefined) return [toned('dim', 'nothing yet')];
  const author = revision.author === '' ? '' : ` · ${revision.author}`;
  return [
    toned('accent', shortRevision(revision.id)),
    ` ${revision.subject || 'working tree'}`,
    toned('dim', author),
  ];
}

function hostCountSpans(hosts: readonly HostStatus[]): Span[] {
  const spans: Span[] = [];
  for (const state of hostStates) {
    const count = hosts.filter((host) => host.state === state).length;
    if (count === 0) continue;
    if (spans.length > 0) spans.push(toned('dim', ' · '));
    spans.push(toned(stateTones[state], `${count} ${stateWords[state]}`));
  }
  return spans.length === 0 ? [toned('dim', 'none')] : spans;
}

function lastRunSpans(run: NonNullable<EnvironmentStatus['lastRun']>, now: number): Span[] {
  const { summary } = run;
  const when = relativeTime(run.startedAt, now);
  if (summary === undefined) return [toned('warn', 'has not ended'), toned('dim', `  ${when}  ${run.run}`)];
  const good = summary.outcome === 'done' || summary.outcome === 'nothing-to-do';
  const word = summary.outcome.replaceAll('-', ' ');
  return [
    toned(good ? 'good' : 'bad', word),
    toned('dim', `  ${when}, ${durationText(summary.milliseconds)}  ${run.run}`),
  ];
}

function looksText({ lastFetchAt, lastDriftAt }: EnvironmentStatus, now: number): string {
  const fetched = lastFetchAt === undefined ? [] : [`for commits ${relativeTime(lastFetchAt, now)}`];
  const drift = lastDriftAt === undefined ? [] : [`for drift ${relativeTime(lastDriftAt, now)}`];
  return [...fetched, ...drift].join(', ');
}

function trouble(environment: EnvironmentStatus, now: number, look: Look): Line[] {
  const { stalled, suspended, endedAt, name } = environment;
  const lines: Line[] = [];
  if (endedAt !== undefined)
    lines.push([toned('warn', `  ended ${relativeTime(endedAt, now)}: its branch is gone`)]);
  if (suspended !== undefined) {
    const until = suspended.until === undefined ? '' : ` (ends ${relativeTime(suspended.until, now)})`;
    lines.push([toned('warn', `  suspended by ${suspended.by}: ${suspended.reason}${until}`)]);
  }
  if (stalled === undefined) return lines;
  lines.push([
    toned('bad', `  stalled ${relativeTime(stalled.since, now)}: the newest revision is not in force`),
  ]);
  const known = { environment: name };
  return [
    ...lines,
    ...stalled.problems.flatMap((problem) => problemLines(problem, { ...look, indent: 4, known })),
  ];
}

function troubledHosts(environment: EnvironmentStatus, data: StatusData, look: Look): Line[] {
  if (data.perHost) return hostRows(environment.hosts, data.now, look);
  return (['failed', 'unreachable'] as const).flatMap((state): Line[] => {
    const hosts = environment.hosts.filter((host) => host.state === state).map(({ host }) => host);
    if (hosts.length === 0) return [];
    return [
      [toned('bad', `  ${stateWords[state].padEnd(11)} `), hostList(hosts, look.width - 14, look.style)],
    ];
  });
}

function hostRows(hosts: readonly HostStatus[], now: number, { style, width }: Look): Line[] {
  const columns = [
    { title: 'host', least: 10 },
    { title: 'state' },
    { title: 'revision' },
    { title: 'applied' },
    { title: 'roles', least: 6 },
    { title: 'problem', least: 8 },
  ];
  const rows = hosts.map((host): Span[] => [
    host.host,
    toned(stateTones[host.state], stateWords[host.state]),
    toned('accent', host.revision === undefined ? '' : shortRevision(host.revision)),
    toned('dim', host.appliedAt === undefined ? 'never' : relativeTime(host.appliedAt, now)),
    host.roles.join(', '),
    toned('bad', host.problem === undefined ? '' : `${host.problem.code}: ${host.problem.message}`),
  ]);
  return tableLines({ columns, rows, indent: 2 }, style, width);
}
