/**
 * A run while it moves: a heading, a line for each host at work, and how far it is.
 * Invariant: never more lines than it is given rows; what fails or works comes before what waits.
 * Pure; the time and the spinner's frame are arguments.
 */

import { cutToWidth, displayWidth, padToWidth } from './display-width.ts';
import { counted, sortHosts } from './host-list.ts';
import { type Line, type Span, toned } from './line.ts';
import { countSpans, isDry, modeWords, runTitle, triggerWords } from './run-words.ts';
import { runtimeBar } from './runtime-text.ts';
import type { Style, Tone } from './style.ts';
import type { HostView, Phase, RunView } from './terminal-state.ts';
import { durationText } from './time-text.ts';

export interface LiveOptions {
  readonly style: Style;
  readonly width: number;
  readonly rows: number;
  readonly now: number;
  readonly frame: number;
}

/** From this width on a host's line says everything. */
const roomy = 90;
const widestDoing = 52;

const phaseOrder: Readonly<Record<Phase, number>> = {
  failed: 0,
  unreachable: 1,
  working: 2,
  connecting: 3,
  idle: 4,
  done: 5,
  queued: 6,
};

const phaseWords: Readonly<Record<Phase, string>> = {
  failed: 'failed',
  unreachable: 'unreachable',
  working: 'working',
  connecting: 'connecting',
  idle: 'ready',
  done: 'done',
  queued: 'waiting',
};

/** The frame to show now. */
export function liveLines(view: RunView, options: LiveOptions): Line[] {
  const { style, now, frame } = options;
  const spinner = toned('accent', style.spinner(frame));
  const head: Line[] = [[spinner, ' ', ...runTitle(view.environment, view.revision)]];
  const foot: Line = ['  ', ...progress(view), toned('dim', `  ${elapsed(view.startedAt, now)}`)];
  const room = options.rows - 4;
  if (view.hosts.size === 0 || room < 1) return [...head, foot];
  return [...head, [], ...hostLines(view, options, room), [], foot];
}

function elapsed(since: number, now: number): string {
  const seconds = Math.floor((now - since) / 1000);
  return seconds < 1 ? '' : durationText(seconds * 1000).replace('.0 ', ' ');
}

function hostLines(view: RunView, options: LiveOptions, room: number): Line[] {
  const all = [...view.hosts.values()];
  const shown = all.length <= room ? all : pick(all, room - 1);
  const byName = new Map(shown.map((host) => [host.name, host]));
  const sorted = sortHosts(byName.keys()).flatMap((name) => byName.get(name) ?? []);
  const columns = {
    name: columnWidth(sorted, options, (host) => host.name, 28),
    role: columnWidth(sorted, options, (host) => host.role ?? '', 16),
  };
  const lines = sorted.map((host) => hostLine(host, view, { ...options, columns }));
  return shown.length === all.length ? lines : [...lines, moreLine(all, shown)];
}

/** The worst and the most active; inside a phase those that have been at it longest. */
function pick(hosts: readonly HostView[], room: number): HostView[] {
  const ranked = [...hosts].sort(
    (a, b) =>
      phaseOrder[a.phase] - phaseOrder[b.phase] ||
      (a.phase === 'done' || a.phase === 'idle' ? b.since - a.since : a.since - b.since),
  );
  return ranked.slice(0, room);
}

function columnWidth(
  hosts: readonly HostView[],
  { style, width }: LiveOptions,
  of: (host: HostView) => string,
  most = 20,
): number {
  const widest = hosts.reduce((widest, host) => Math.max(widest, displayWidth(style.clean(of(host)))), 0);
  return Math.min(widest, most, Math.floor(width / 3));
}

interface HostLineOptions extends LiveOptions {
  readonly columns: { readonly name: number; readonly role: number };
}

function hostLine(host: HostView, view: RunView, options: HostLineOptions): Line {
  const { style, columns } = options;
  const cell = (text: string, columns: number): string => fitCell(text, columns, style);
  const counts = hostCounts(host, view, options.width);
  const used = 4 + columns.name + 2 + columns.role + 2;
  const countWidth = counts.reduce((sum, span) => sum + spanWidth(span, style), 0);
  const doing = doingText(host, options.now);
  const left = options.width - used - (countWidth > 0 ? countWidth + 2 : 0);
  const room = Math.max(0, Math.min(widestDoing, left));
  return [
    '  ',
    mark(host.phase, options),
    ' ',
    toned(host.phase === 'queued' ? 'dim' : 'strong', cell(host.name, columns.name)),
    '  ',
    toned('accent', cell(host.role ?? '', columns.role)),
    '  ',
    toned(doing.tone, cell(doing.text, room)),
    ...(counts.length > 0 ? ['  ', ...counts] : []),
  ];
}

function spanWidth(span: Span, style: Style): number {
  return displayWidth(style.clean(typeof span === 'string' ? span : span.text));
}

/** Exactly `columns` wide: cut with an ellipsis or filled with spaces. */
function fitCell(text: string, columns: number, style: Style): string {
  const clean = style.clean(text);
  const ellipsis = style.clean('…');
  if (displayWidth(clean) <= columns) return padToWidth(clean, columns);
  if (columns < ellipsis.length) return ' '.repeat(columns);
  return padToWidth(cutToWidth(clean, columns - ellipsis.length) + ellipsis, columns);
}

function mark(phase: Phase, { style, frame }: LiveOptions): Span {
  switch (phase) {
    case 'working':
    case 'connecting':
      return toned('accent', style.spinner(frame));
    case 'done':
      return toned('good', '✓');
    case 'failed':
      return toned('bad', '✗');
    case 'unreachable':
      return toned('bad', '!');
    case 'idle':
    case 'queued':
      return toned('dim', '○');
  }
}

function doingText(host: HostView, now: number): { readonly text: string; readonly tone: Tone } {
  if (host.runtime !== undefined) return { text: runtimeBar(host.runtime), tone: 'dim' };
  if (host.phase !== 'working') return { text: phaseWords[host.phase], tone: phaseTone(host.phase) };
  const long = now - host.since >= 5000 ? ` ${elapsed(host.since, now)}` : '';
  const what = host.resource ?? 'working';
  if (host.note !== undefined) return { text: `${what}: ${host.note}`, tone: 'warn' };
  return { text: what + long, tone: 'dim' };
}

function phaseTone(phase: Phase): Tone {
  return phase === 'failed' || phase === 'unreachable' ? 'bad' : 'dim';
}

/** What stayed as it was is worth saying only where there is room. */
function hostCounts(host: HostView, view: RunView, width: number): Span[] {
  const unchanged = width < roomy ? 0 : host.counts.unchanged;
  return countSpans({ ...host.counts, unchanged, skipped: 0 }, isDry(view.mode));
}

function moreLine(all: readonly HostView[], shown: readonly HostView[]): Line {
  const seen = new Set(shown);
  const rest = new Map<Phase, number>();
  for (const host of all) if (!seen.has(host)) rest.set(host.phase, (rest.get(host.phase) ?? 0) + 1);
  const left = counted(all.length - shown.length, 'more host');
  const words = [...rest].map(([phase, count]) => (rest.size === 1 ? '' : `${count} `) + phaseWords[phase]);
  return [toned('dim', `  … ${left}${rest.size === 1 ? ' ' : ': '}${words.join(', ')}`)];
}

function progress(view: RunView): Span[] {
  const { planned, wave } = view;
  if (planned === undefined) {
    return [toned('dim', `${modeWords[view.mode]} · ${triggerWords[view.trigger]} · planning`)];
  }
  const spans: Span[] = [];
  if (wave !== undefined) spans.push(toned('accent', wave.role));
  if (wave !== undefined && wave.waves > 1) spans.push(toned('dim', ` wave ${wave.wave} of ${wave.waves}`));
  const done = `${view.pairsDone} of ${counted(planned.affected.length, 'role run')} done`;
  spans.push(toned('dim', `${spans.length > 0 ? ' · ' : ''}${done}`));
  return spans;
}
