/**
 * The one place where events leave: what is registered as secret is masked in every string, what is sensitive is cut to the bare fact.
 * Invariant: no string behind this sink holds a registered secret, also when output splits it over events.
 * Never lets an event pass around it: it wraps the sink that feeds all others.
 */

import { type Change, changeActions } from '../../agent/protocol/change.ts';
import type { AgentEvent } from '../../agent/protocol/message.ts';
import { outcomes, type ResourceReport } from '../../agent/protocol/outcome.ts';
import { dispositions, type Problem } from '../../agent/protocol/problem.ts';
import {
  type EventSink,
  type RunEvent,
  reasons,
  runModes,
  runOutcomes,
  runtimeStages,
  triggers,
} from '../base/event.ts';
import { holdOpenOutput } from './redact-output.ts';
import type { SecretRegistry } from './secret-registry.ts';

/** Whether a resource of a role on a host is marked sensitive. */
export type IsSensitive = (host: string, role: string, resource: string) => boolean;

/** Members that hold words of closed vocabularies or moments made here; a secret that happens to be such a word is no leak there. */
const vocabulary = new Set<string>([
  ...[...triggers, ...runModes, ...reasons, ...runOutcomes, ...outcomes, ...changeActions, ...dispositions],
  ...['run-started', 'revision', 'problem', 'planned', 'role-started', 'host-connecting', 'host-connected'],
  ...['host-runtime', ...runtimeStages],
  ...['host-failed', 'host-event', 'host-finished', 'released', 'run-finished'],
  ...['started', 'output', 'retrying', 'finished', 'waiting', 'stdout', 'stderr'],
]);
const closed = new Set([
  'type',
  'event',
  'trigger',
  'mode',
  'reason',
  'outcome',
  'action',
  'disposition',
  'stream',
  'stage',
]);

/** The sink in front of all others. */
export function redactEvents(
  registry: SecretRegistry,
  next: EventSink,
  isSensitive: IsSensitive = () => false,
): EventSink {
  return holdOpenOutput(registry, (event) => {
    next(masked(bared(event, isSensitive), registry) as RunEvent);
  });
}

/** A problem that leaves outside an event, masked the same way. */
export function redactProblem(problem: Problem, registry: SecretRegistry): Problem {
  return masked(problem, registry) as Problem;
}

function masked(value: unknown, registry: SecretRegistry, key = ''): unknown {
  if (typeof value === 'string') {
    const isWord = closed.has(key) && vocabulary.has(value);
    return isWord || key === 'at' ? value : registry.redact(value);
  }
  if (Array.isArray(value)) return value.map((item) => masked(item, registry, key));
  if (value === null || typeof value !== 'object') return value;
  const members = Object.entries(value).map(([name, member]) => [name, masked(member, registry, name)]);
  return Object.fromEntries(members);
}

function bared(event: RunEvent, isSensitive: IsSensitive): RunEvent {
  if (event.type === 'host-event') {
    const { host, role } = event;
    return { ...event, event: baredAgentEvent(event.event, (resource) => isSensitive(host, role, resource)) };
  }
  if (event.type !== 'host-finished') return event;
  const { host, role, result } = event;
  const reports = result.reports.map((report) =>
    isSensitive(host, role, report.resource) ? baredReport(report) : report,
  );
  return { ...event, result: { ...result, reports } };
}

function baredAgentEvent(event: AgentEvent, isSensitive: (resource: string) => boolean): AgentEvent {
  switch (event.event) {
    case 'output':
      return isSensitive(event.resource) ? { ...event, text: '' } : event;
    case 'finished':
      return isSensitive(event.report.resource) ? { ...event, report: baredReport(event.report) } : event;
    case 'retrying':
      return isSensitive(event.resource) ? { ...event, problem: baredProblem(event.problem) } : event;
    default:
      return event;
  }
}

function baredReport(report: ResourceReport): ResourceReport {
  const changes = report.changes.map(({ action, property }): Change => ({ action, property }));
  const problem = report.problem === undefined ? {} : { problem: baredProblem(report.problem) };
  return { ...report, changes, ...problem };
}

/** Keeps what and where; what a program printed may be the secret itself. */
function baredProblem(problem: Problem): Problem {
  const { lines: _lines, cause, ...rest } = problem;
  return cause === undefined ? rest : { ...rest, cause: baredProblem(cause) };
}
