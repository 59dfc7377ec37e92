/**
 * What one host may add to the history of one run: first all it says, then without differences and last lines, then only how it ended.
 * Invariant: the end of a role is always kept, with its counts and its first failures; what is left out is counted.
 * Never looks at whether a host is honest: a role of ten thousand resources is kept the same way.
 */

import type { Change } from '../../agent/protocol/change.ts';
import type { AgentEvent } from '../../agent/protocol/message.ts';
import type { ResourceReport } from '../../agent/protocol/outcome.ts';
import type { Problem } from '../../agent/protocol/problem.ts';
import type { RunEvent } from '../base/event.ts';

type HostEvent = Extract<RunEvent, { type: 'host-event' }>;
type HostFinished = Extract<RunEvent, { type: 'host-finished' }>;

/** Characters kept with everything in it, and in all. */
const wholeLimit = 1024 * 1024;
const shareLimit = 4 * wholeLimit;
/** What an event costs beside its texts. */
const envelope = 200;
const longestText = 500;
const mostChanges = 20;
const mostFailures = 20;

export class HistoryShare {
  #used = 0;
  #dropped = 0;

  /** Events that had no room, since the last time this was asked. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }

  /** The event as it is kept; undefined when it has no room. */
  ofEvent(event: HostEvent): HostEvent | undefined {
    const whole = weigh(event.event);
    if (this.#fits(whole, wholeLimit)) return event;
    const bare = { ...event, event: bareEvent(event.event) };
    if (this.#fits(weigh(bare.event), shareLimit)) return bare;
    this.#dropped += 1;
    return undefined;
  }

  /** The end of a role as it is kept. */
  ofEnd(event: HostFinished): HostFinished {
    const { result } = event;
    if (this.#fits(weigh(result.reports), wholeLimit)) return event;
    const reports = result.reports.map(bareReport);
    if (this.#fits(weigh(reports), shareLimit)) return { ...event, result: { ...result, reports } };
    const failures = reports.filter(({ outcome }) => outcome === 'failed').slice(0, mostFailures);
    return { ...event, result: { ...result, reports: failures } };
  }

  #fits(weight: number, limit: number): boolean {
    if (this.#used + weight > limit) return false;
    this.#used += weight;
    return true;
  }
}

/** About how many characters a value is as JSON, without making it. */
function weigh(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 8;
  let weight = Array.isArray(value) ? 2 : envelope;
  for (const member of Object.values(value)) weight += weigh(member);
  return weight;
}

function bareEvent(event: AgentEvent): AgentEvent {
  if (event.event === 'finished') return { ...event, report: bareReport(event.report) };
  if (event.event === 'retrying') return { ...event, problem: bareProblem(event.problem) };
  return event;
}

function bareReport(report: ResourceReport): ResourceReport {
  const { problem, reason, ...rest } = report;
  return {
    ...rest,
    resource: cut(rest.resource),
    changes: rest.changes.slice(0, mostChanges).map(bareChange),
    ...(reason !== undefined && { reason: cut(reason) }),
    ...(problem !== undefined && { problem: bareProblem(problem) }),
  };
}

function bareChange({ action, property }: Change): Change {
  return { action, property: cut(property) };
}

function bareProblem({ code, disposition, message, hint }: Problem): Problem {
  return { code, disposition, message: cut(message), hint: cut(hint) };
}

function cut(text: string): string {
  return text.length > longestText ? `${text.slice(0, longestText)}…` : text;
}
