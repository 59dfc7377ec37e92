/**
 * What a person must know of one run, gathered from its events: hosts as they move, changes and failures grouped.
 * Invariant: the same events give the same state; memory grows with hosts and distinct changes, not with events.
 * No I/O, no clock: time comes from the events. `advance` changes the state it is given and nothing else.
 */

import type { AgentEvent, ConvergeResult } from '../../agent/protocol/message.ts';
import type { Outcome, ResourceReport } from '../../agent/protocol/outcome.ts';
import type { Problem } from '../../agent/protocol/problem.ts';
import type {
  Affected,
  RevisionInfo,
  RunEvent,
  RunMode,
  RunSummary,
  RuntimeProgress,
  Trigger,
} from '../base/event.ts';
import { OutputLines } from './output-lines.ts';

export type Phase = 'queued' | 'connecting' | 'idle' | 'working' | 'done' | 'failed' | 'unreachable';

export interface HostView {
  readonly name: string;
  phase: Phase;
  role: string | undefined;
  resource: string | undefined;
  /** Why it waits or tries again. */
  note: string | undefined;
  /** While it is connecting: the Node on its way there. */
  runtime: RuntimeProgress | undefined;
  /** Milliseconds since the epoch at which the phase began. */
  since: number;
  /** Pairs of this host that are still to do. */
  left: number;
  readonly counts: Record<Outcome, number>;
  readonly output: OutputLines;
}

/** Hosts where one role made (or would make) exactly the same changes. */
export interface ChangeGroup {
  readonly role: string;
  readonly drift: boolean;
  readonly dry: boolean;
  /** Those that changed, are unknown, or failed and were ignored. */
  readonly reports: readonly ResourceReport[];
  readonly hosts: string[];
}

/** Hosts that failed in the same way. */
export interface FailureGroup {
  readonly role: string | undefined;
  readonly unreachable: boolean;
  readonly problem: Problem;
  readonly hosts: string[];
}

export interface RunView {
  readonly run: string;
  readonly environment: string;
  readonly trigger: Trigger;
  readonly mode: RunMode;
  readonly startedAt: number;
  revision: RevisionInfo | undefined;
  changedFiles: readonly string[] | undefined;
  planned:
    | { readonly affected: readonly Affected[]; readonly current: number; readonly hosts: number }
    | undefined;
  wave: { readonly role: string; readonly wave: number; readonly waves: number } | undefined;
  pairsDone: number;
  readonly hosts: Map<string, HostView>;
  readonly changes: Map<string, ChangeGroup>;
  readonly failures: Map<string, FailureGroup>;
  readonly problems: Problem[];
  readonly released: {
    readonly host: string;
    readonly role: string;
    readonly resources: readonly string[];
  }[];
  summary: RunSummary | undefined;
}

type Of<T extends RunEvent['type']> = Extract<RunEvent, { type: T }>;

/** The state at the beginning of a run. */
export function beginRun(event: Of<'run-started'>): RunView {
  return {
    run: event.run,
    environment: event.environment,
    trigger: event.trigger,
    mode: event.mode,
    startedAt: Date.parse(event.at),
    revision: undefined,
    changedFiles: undefined,
    planned: undefined,
    wave: undefined,
    pairsDone: 0,
    hosts: new Map(),
    changes: new Map(),
    failures: new Map(),
    problems: [],
    released: [],
    summary: undefined,
  };
}

const takers: { readonly [T in RunEvent['type']]: (view: RunView, event: Of<T>) => void } = {
  'run-started': () => {},
  revision: (view, event) => {
    view.revision = event.revision;
    view.changedFiles = event.changedFiles;
  },
  problem: (view, event) => {
    view.problems.push(event.problem);
  },
  planned: plan,
  'role-started': (view, event) => {
    view.wave = { role: event.role, wave: event.wave, waves: event.waves };
  },
  'host-connecting': (view, event) => {
    enter(view, event, 'connecting');
  },
  'host-runtime': (view, event) => {
    hostOf(view, event.host, event.at).runtime = event;
  },
  'host-connected': (view, event) => {
    enter(view, event, 'idle');
  },
  'host-failed': hostFailed,
  'host-event': hostEvent,
  'host-finished': hostFinished,
  released: (view, { host, role, resources }) => {
    view.released.push({ host, role, resources });
  },
  'run-finished': (view, event) => {
    view.summary = event.summary;
  },
};

/** Takes one event of the run into its state. */
export function advance(view: RunView, event: RunEvent): void {
  (takers[event.type] as (view: RunView, event: RunEvent) => void)(view, event);
}

function plan(view: RunView, event: Of<'planned'>): void {
  view.planned = { affected: event.affected, current: event.current, hosts: event.hosts };
  for (const { host } of event.affected) hostOf(view, host, event.at).left += 1;
}

function hostOf(view: RunView, name: string, at: string): HostView {
  const known = view.hosts.get(name);
  if (known !== undefined) return known;
  const host: HostView = {
    name,
    phase: 'queued',
    role: undefined,
    resource: undefined,
    note: undefined,
    runtime: undefined,
    since: Date.parse(at),
    left: 0,
    counts: { unchanged: 0, changed: 0, failed: 0, skipped: 0, unknown: 0 },
    output: new OutputLines(),
  };
  view.hosts.set(name, host);
  return host;
}

function enter(view: RunView, event: { readonly host: string; readonly at: string }, phase: Phase): HostView {
  const host = hostOf(view, event.host, event.at);
  host.phase = phase;
  host.since = Date.parse(event.at);
  host.resource = undefined;
  host.note = undefined;
  host.runtime = undefined;
  return host;
}

function hostFailed(view: RunView, event: Of<'host-failed'>): void {
  const before = hostOf(view, event.host, event.at).phase;
  const unreachable = before === 'connecting' || (before === 'queued' && event.role === undefined);
  const host = enter(view, event, unreachable ? 'unreachable' : 'failed');
  const { problem } = event;
  const role = unreachable ? event.role : (event.role ?? host.role);
  if (!isKnown(view, host, problem)) addFailure(view, host, { role, problem, unreachable });
}

function hostEvent(view: RunView, event: Of<'host-event'>): void {
  const host = hostOf(view, event.host, event.at);
  if (host.phase !== 'working') enter(view, event, 'working');
  host.role = event.role;
  agentEvent(host, event.event);
}

function agentEvent(host: HostView, event: AgentEvent): void {
  switch (event.event) {
    case 'started':
      host.resource = event.resource;
      host.note = undefined;
      return;
    case 'output':
      host.output.push(event.text);
      return;
    case 'retrying':
      host.note = `attempt ${event.attempt} failed: ${event.problem.message}`;
      return;
    case 'waiting':
      host.note = event.reason;
      return;
    case 'finished':
      host.counts[event.report.outcome] += 1;
      host.resource = undefined;
      return;
    default:
      event satisfies never;
  }
}

function hostFinished(view: RunView, event: Of<'host-finished'>): void {
  const host = hostOf(view, event.host, event.at);
  const { result } = event;
  host.role = event.role;
  host.left = Math.max(0, host.left - 1);
  view.pairsDone += 1;
  addChanges(view, event);
  if (!result.ok) addRoleFailures(view, host, result);
  const next = result.ok ? (host.left === 0 ? 'done' : 'idle') : 'failed';
  enter(view, event, host.phase === 'failed' ? 'failed' : next);
}

function addChanges(view: RunView, event: Of<'host-finished'>): void {
  const reports = event.result.reports.filter(
    (report) =>
      report.outcome === 'changed' ||
      report.outcome === 'unknown' ||
      (report.outcome === 'failed' && report.ignored === true),
  );
  if (reports.length === 0) return;
  const dry = event.mode === 'check';
  const same = reports.map(({ resource, handler, outcome, changes, reason }) => [
    resource,
    handler,
    outcome,
    changes,
    reason,
  ]);
  const key = JSON.stringify([event.role, event.drift, dry, same]);
  const group = view.changes.get(key);
  if (group !== undefined) group.hosts.push(event.host);
  else view.changes.set(key, { role: event.role, drift: event.drift, dry, reports, hosts: [event.host] });
}

function addRoleFailures(view: RunView, host: HostView, result: ConvergeResult): void {
  const failed = result.reports.filter((report) => report.outcome === 'failed' && report.ignored !== true);
  const problems = failed.flatMap(({ problem, resource }) =>
    problem === undefined ? [] : [{ ...problem, where: { resource, ...problem.where } }],
  );
  if (problems.length === 0 && result.problem !== undefined)
    problems.push({ where: {}, ...result.problem } as never);
  for (const problem of problems) addFailure(view, host, { role: host.role, problem, unreachable: false });
}

function addFailure(view: RunView, host: HostView, failure: Omit<FailureGroup, 'hosts'>): void {
  const { problem, role, unreachable } = failure;
  const alike = problem.message.replaceAll(host.name, '\0');
  const key = JSON.stringify([role, problem.code, alike, problem.where?.resource, unreachable]);
  const group = view.failures.get(key);
  if (group === undefined) {
    view.failures.set(key, { ...failure, problem: withLastLines(problem, host), hosts: [host.name] });
  } else if (!group.hosts.includes(host.name)) group.hosts.push(host.name);
}

/** Whether the result of a role has told the same already. */
function isKnown(view: RunView, host: HostView, problem: Problem): boolean {
  for (const group of view.failures.values()) {
    const same = group.problem.code === problem.code && group.problem.message === problem.message;
    if (same && group.hosts.includes(host.name)) return true;
  }
  return false;
}

/** A failure always carries what was said last, also when its problem does not. */
function withLastLines(problem: Problem, host: HostView): Problem {
  if (problem.lines !== undefined || problem.cause?.lines !== undefined) return problem;
  return host.output.last.length === 0 ? problem : { ...problem, lines: host.output.last };
}
