/**
 * `show RUN`: one run as it went, from its stored events: its head, each host and role, then what changed and what failed.
 * Invariant: tells the same as the terminal did when it ran, because it is made from the same events by the same code.
 * Pure.
 */

import { countOutcomes } from '../../../agent/protocol/outcome.ts';
import type { RunEvent } from '../../base/event.ts';
import { type Line, paintLines, type Span, spanText, toned } from '../../report/line.ts';
import { countSpans, isDry, modeWords, runTitle, triggerWords } from '../../report/run-words.ts';
import type { Style } from '../../report/style.ts';
import { summaryLines } from '../../report/summary-view.ts';
import { advance, beginRun, type RunView } from '../../report/terminal-state.ts';
import { durationText, momentText, relativeTime } from '../../report/time-text.ts';
import { tableLines } from './table.ts';

export interface ShowData {
  readonly run: string;
  readonly startedAt: string;
  readonly events: readonly RunEvent[];
  readonly now: number;
  /** 0, 1 (-v: whole differences) or 2. */
  readonly verbosity: number;
}

/** The run. */
export function showView(data: ShowData, style: Style, width: number): string[] {
  const view = replay(data.events);
  if (view === undefined) return paintLines([[`Run ${data.run} left no events.`]], style, width);
  const files = view.changedFiles ?? [];
  const head: Line[] = [
    runTitle(view.environment, view.revision),
    [`  run ${data.run}`, toned('dim', `  ${modeWords[view.mode]}, ${triggerWords[view.trigger]}`)],
    [toned('dim', `  started ${momentText(data.startedAt)}, ${relativeTime(data.startedAt, data.now)}`)],
    ...(view.summary === undefined ? [[toned('warn', '  it has not ended, or was cut off')]] : []),
    ...files.map((file): Line => [toned('dim', '  changed  '), file]),
  ];
  const roles = roleRows(data.events, isDry(view.mode));
  const columns = [
    { title: 'host', least: 10 },
    { title: 'role', least: 6 },
    { title: 'outcome', least: 10 },
    { title: 'took', align: 'right' as const },
  ];
  const table = tableLines({ columns, rows: roles, indent: 2 }, style, width);
  const lines = [
    ...head,
    [],
    ...table,
    ...(table.length > 0 ? [[]] : []),
    ...summaryLines(view, { style, width, verbosity: data.verbosity }),
  ];
  return paintLines(lines, style, width);
}

function replay(events: readonly RunEvent[]): RunView | undefined {
  const first = events.find((event) => event.type === 'run-started');
  if (first === undefined) return undefined;
  const view = beginRun(first);
  for (const event of events) advance(view, event);
  return view;
}

function roleRows(events: readonly RunEvent[], dry: boolean): Span[][] {
  return events.flatMap((event): Span[][] => {
    if (event.type === 'host-failed') {
      const text = `${event.problem.code}: ${event.problem.message}`;
      return [[event.host, event.role ?? '', toned('bad', text), '']];
    }
    if (event.type !== 'host-finished') return [];
    const { host, role, result } = event;
    const counts = Object.assign(countOutcomes([]), result.outcomes);
    const text = countSpans(counts, dry).map(spanText).join('');
    const tone = !result.ok ? 'bad' : counts.changed > 0 ? 'change' : 'dim';
    return [
      [
        host,
        role,
        toned(tone, (result.ok ? '' : 'failed: ') + text),
        toned('dim', durationText(result.milliseconds)),
      ],
    ];
  });
}
