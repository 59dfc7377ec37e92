/**
 * `history`: past runs, newest first.
 * Invariant: one row a run; a run without an end is said to have none.
 * Pure; now comes with the data.
 */

import type { RevisionInfo, RunMode, RunSummary, Trigger } from '../../base/event.ts';
import { paintLines, type Span, toned } from '../../report/line.ts';
import { modeWords, shortRevision, triggerWords } from '../../report/run-words.ts';
import type { Style, Tone } from '../../report/style.ts';
import { durationText, relativeTime } from '../../report/time-text.ts';
import { tableLines } from './table.ts';

export interface HistoryRun {
  readonly run: string;
  readonly environment: string;
  readonly trigger: Trigger;
  readonly mode: RunMode;
  readonly startedAt: string;
  readonly revision?: RevisionInfo | undefined;
  readonly summary?: RunSummary | undefined;
}

export interface HistoryData {
  readonly runs: readonly HistoryRun[];
  readonly now: number;
}

/** The runs as a table. */
export function historyView(data: HistoryData, style: Style, width: number): string[] {
  if (data.runs.length === 0) return paintLines([['No runs yet.']], style, width);
  const columns = [
    { title: 'run', least: 8 },
    { title: 'when' },
    { title: 'environment', least: 8 },
    { title: 'why', least: 8 },
    { title: 'outcome', least: 8 },
    { title: 'took', align: 'right' as const },
    { title: 'revision', least: 8 },
  ];
  const rows = data.runs.map((run) => row(run, data.now));
  return paintLines(tableLines({ columns, rows }, style, width), style, width);
}

function row(run: HistoryRun, now: number): Span[] {
  const revision = run.revision;
  return [
    toned('accent', run.run),
    toned('dim', relativeTime(run.startedAt, now)),
    run.environment,
    whyText(run),
    outcomeSpan(run.summary),
    toned('dim', run.summary === undefined ? '' : durationText(run.summary.milliseconds)),
    revision === undefined ? '' : `${shortRevision(revision.id)} ${revision.subject}`.trim(),
  ];
}

/** Drift correction on its schedule needs one word, anything else out of the ordinary two. */
function whyText({ mode, trigger }: HistoryRun): string {
  if (mode === 'apply') return triggerWords[trigger];
  return trigger === 'drift' ? modeWords[mode] : `${modeWords[mode]}, ${triggerWords[trigger]}`;
}

function outcomeSpan(summary: RunSummary | undefined): Span {
  if (summary === undefined) return toned('warn', 'has not ended');
  const { outcome, hosts } = summary;
  const tones: Readonly<Record<typeof outcome, Tone>> = {
    'nothing-to-do': 'dim',
    done: 'good',
    failed: 'bad',
    stalled: 'bad',
    cancelled: 'warn',
  };
  const counts = (['changed', 'failed', 'unreachable'] as const).flatMap((state) =>
    hosts[state].length === 0 ? [] : [`${hosts[state].length} ${state}`],
  );
  const detail = counts.length === 0 ? '' : `: ${counts.join(', ')}`;
  return toned(tones[outcome], outcome.replaceAll('-', ' ') + detail);
}
