/**
 * A run as lines that follow each other: what a log, a pipe or a build shows, and what -v adds above a live table.
 * Invariant: nothing is said of what needs no attention; every line names its host.
 * Pure.
 */

import type { AgentEvent } from '../../agent/protocol/message.ts';
import { countOutcomes, type ResourceReport } from '../../agent/protocol/outcome.ts';
import type { RunEvent } from '../base/event.ts';
import { actionMark } from './change-text.ts';
import { counted } from './host-list.ts';
import { type Line, toned } from './line.ts';
import { countSpans, filesText, isDry, modeWords, runTitle, triggerWords } from './run-words.ts';
import { runtimeSentence } from './runtime-text.ts';
import type { RunView } from './terminal-state.ts';
import { durationText } from './time-text.ts';

type Of<T extends RunEvent['type']> = Extract<RunEvent, { type: T }>;

/** What an event adds to a log of the run; the state has taken the event already. */
export function plainLines(event: RunEvent, view: RunView, verbosity: number): Line[] {
  switch (event.type) {
    case 'planned':
      return event.affected.length === 0 ? [] : plannedLines(event, view);
    case 'role-started':
      return [roleLine(event)];
    case 'host-runtime':
      return runtimeLines(event);
    case 'host-connected':
      return verbosity < 1
        ? []
        : [hostLine(event.host, '', [`connected in ${durationText(event.milliseconds)}`])];
    case 'host-failed':
      return [
        hostLine(event.host, event.role ?? '', [
          toned('bad', event.problem.code),
          ` ${event.problem.message}`,
        ]),
      ];
    case 'host-finished':
      return finishedLines(event, view, verbosity);
    case 'host-event':
      return eventLines(event, view, verbosity);
    default:
      return [];
  }
}

/** Lines about resources and notes, for -v; whole output lines come from the caller, who collects them. */
export function eventLines(event: Of<'host-event'>, view: RunView, verbosity: number): Line[] {
  const { host, role } = event;
  const said = agentLine(event.event, verbosity, isDry(view.mode));
  return said === undefined ? [] : [hostLine(host, role, said)];
}

/** One line that a program on a host printed. */
export function outputLine(host: string, text: string): Line {
  return [toned('accent', host), toned('dim', ': '), text];
}

/** How far a run is, for logs in which nothing else is said for a while. */
export function progressLine(view: RunView, now: number): Line {
  const all = view.planned?.affected.length ?? 0;
  const done = all === 0 ? 'planning' : `${view.pairsDone} of ${counted(all, 'role run')} done`;
  return [toned('dim', `${view.environment}: ${done}, ${durationText(now - view.startedAt)} so far`)];
}

/** That a Node is sent to a host, before it is, and that it is there. */
export function runtimeLines(event: Of<'host-runtime'>): Line[] {
  const said = runtimeSentence(event);
  return said === undefined ? [] : [hostLine(event.host, '', [said])];
}

function plannedLines(event: Of<'planned'>, view: RunView): Line[] {
  const hosts = new Set(event.affected.map(({ host }) => host)).size;
  const files = filesText(view.changedFiles);
  const what = `${modeWords[view.mode]}, ${triggerWords[view.trigger]}${files === '' ? '' : ` (${files})`}`;
  return [
    runTitle(view.environment, view.revision),
    [
      toned(
        'dim',
        `  ${what}: ${counted(event.affected.length, 'role run')} on ${hosts} of ${counted(event.hosts, 'host')}`,
      ),
    ],
  ];
}

function roleLine(event: Of<'role-started'>): Line {
  const wave = event.waves > 1 ? `, wave ${event.wave} of ${event.waves}` : '';
  return [toned('strong', event.role), toned('dim', ` on ${counted(event.hosts.length, 'host')}${wave}`)];
}

function finishedLines(event: Of<'host-finished'>, view: RunView, verbosity: number): Line[] {
  const { result, host, role } = event;
  const { changed = 0, failed = 0, unknown = 0 } = result.outcomes;
  const worthSaying = !result.ok || changed + failed + unknown > 0 || verbosity > 0;
  if (!worthSaying) return [];
  const counts = Object.assign(countOutcomes([]), result.outcomes);
  const spans = countSpans(counts, isDry(view.mode));
  const time = toned('dim', `${spans.length === 0 ? '' : ' · '}${durationText(result.milliseconds)}`);
  return [hostLine(host, role, [toned(result.ok ? 'good' : 'bad', result.ok ? '✓ ' : '✗ '), ...spans, time])];
}

function agentLine(event: AgentEvent, verbosity: number, dry: boolean): Line | undefined {
  if (event.event === 'waiting') return [toned('warn', event.reason)];
  if (event.event === 'retrying') {
    return [toned('warn', `${event.resource} failed, attempt ${event.attempt}: ${event.problem.message}`)];
  }
  if (event.event !== 'finished' || verbosity < 1) return undefined;
  const { report } = event;
  const quiet = report.outcome === 'unchanged' || report.outcome === 'skipped';
  return quiet && verbosity < 2 ? undefined : resourceSpans(report, verbosity, dry);
}

function resourceSpans(report: ResourceReport, verbosity: number, dry: boolean): Line {
  const { outcome, changes, reason } = report;
  const changed = outcome === 'changed';
  const mark =
    outcome === 'failed' || outcome === 'unknown'
      ? actionMark(outcome)
      : actionMark(changes[0]?.action ?? 'same');
  const words = changed && dry ? 'would change' : outcome;
  const time = verbosity > 1 ? ` ${durationText(report.milliseconds)}` : '';
  return [
    mark,
    ` ${report.resource} `,
    toned('dim', words + (reason === undefined ? '' : `: ${reason}`) + time),
  ];
}

function hostLine(host: string, role: string, rest: Line): Line {
  return [toned('accent', host), toned('dim', role === '' ? ': ' : ` ${role}: `), ...rest];
}
