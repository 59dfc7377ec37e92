/**
 * One role on one host: open the line, learn what the host says, converge, write the ledger.
 * Invariant: the ledger says applied only after a complete, verified apply of the whole plan; a run whose end was lost with
 * its line is taken from the host's journal instead of being done twice.
 * Never throws; every way out is a HostEnd.
 */

import type { ConvergeMode, ConvergeResult } from '../../agent/protocol/message.ts';
import type { Problem } from '../../agent/protocol/problem.ts';
import { placed } from '../../agent/protocol/problem.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import { type Clock, stopwatch, timestamp } from '../base/clock.ts';
import type { ContentStore } from '../base/content.ts';
import type { RunEvent } from '../base/event.ts';
import type { LedgerEntry } from '../base/ledger.ts';
import { planProblem } from '../base/problem-codes/plan.ts';
import { thrownProblem } from '../base/thrown.ts';
import type { RuntimeShipping } from '../connection/runtime/shipping.ts';
import type { HostSession, SessionPool } from '../connection/session.ts';
import type { Desired } from '../plan/affected.ts';
import type { FactsBook } from '../state/facts-book.ts';
import type { LedgerStore } from '../state/store.ts';

/** An event without its stamp; the run adds run, time and environment. */
export type Unstamped = RunEvent extends infer E
  ? E extends RunEvent
    ? Omit<E, 'run' | 'at' | 'environment'>
    : never
  : never;
export type Emit = (event: Unstamped) => void;

/** How a host ended for a role. */
export type HostEnd =
  | { readonly kind: 'done'; readonly result: ConvergeResult }
  | {
      readonly kind: 'failed' | 'unreachable' | 'waiting';
      readonly problem: Problem;
      readonly result?: ConvergeResult;
    };

/** What running hosts needs, the same for all of a run. */
export interface HostTools {
  readonly run: string;
  readonly environment: string;
  readonly revision: string;
  readonly mode: ConvergeMode;
  /** The plan did not change: what differs is drift. */
  readonly drift: boolean;
  /** Seconds over which a drift run spreads its hosts. */
  readonly spreadSeconds: number;
  readonly tags?: readonly string[] | undefined;
  readonly skipTags?: readonly string[] | undefined;
  readonly pool: Pick<SessionPool, 'open' | 'sessions'>;
  /** Ships runtimes to hosts that have none; left out of what must not write on a host. */
  readonly shipping?: RuntimeShipping | undefined;
  readonly ledger: LedgerStore;
  readonly facts: FactsBook;
  readonly contents: ContentStore;
  readonly clock: Clock;
  readonly emit: Emit;
  /** Stop now, at the next resource boundary. */
  readonly signal: AbortSignal;
  /** Start nothing further. */
  readonly superseded: AbortSignal;
}

export interface HostTask {
  readonly desired: Desired;
  readonly spec: ConnectionSpec;
  readonly entry: LedgerEntry | undefined;
  /** The run of the last try that did not succeed. */
  readonly failedRun?: string | undefined;
}

/** Brings one host to its plan for one role. What fails here, such as the writing of the ledger, is this host's failure. */
export async function runHost(task: HostTask, tools: HostTools): Promise<HostEnd> {
  try {
    return await converged(task, tools);
  } catch (error) {
    const { host, role } = task.desired;
    const where = { environment: tools.environment, host, role };
    const problem = placed(thrownProblem(error, `converging ${host}`), where);
    tools.emit({ type: 'host-failed', host, role, problem });
    return { kind: 'failed', problem };
  }
}

async function converged(task: HostTask, tools: HostTools): Promise<HostEnd> {
  const { host, role } = task.desired;
  const where = { environment: tools.environment, host, role };
  const opened = await openSession(task, { ...tools, signal: waitingSignal(host, tools) });
  if (!opened.ok && isPassedOver(opened.problem, tools)) {
    const problem = planProblem('rollout.superseded', `something newer came before ${host} answered`, {
      where,
    });
    return { kind: 'waiting', problem };
  }
  if (!opened.ok) return lost(task, tools, placed(opened.problem, where));
  const session = opened.value;
  const before = finishedBefore(session, task, tools);
  const answer =
    before === undefined ? await converge(session, task, tools) : { ok: true as const, value: before };
  if (!answer.ok) return lost(task, tools, placed(answer.problem, where));
  return conclude(task, tools, answer.value, session);
}

/** A host with a line goes on; one that has yet to answer is not waited for when something newer is there. */
function waitingSignal(host: string, { pool, signal, superseded }: HostTools): AbortSignal {
  const isOpen = pool.sessions().some((session) => session.host === host);
  return isOpen ? signal : AbortSignal.any([signal, superseded]);
}

function isPassedOver({ code }: Problem, { signal, superseded }: HostTools): boolean {
  return code === 'line.cancelled' && superseded.aborted && !signal.aborted;
}

/** Opens the line, or takes the open one; what a new session says of facts is learned. */
export async function openSession(
  task: Pick<HostTask, 'spec'> & { readonly desired: { readonly host: string } },
  tools: Pick<HostTools, 'pool' | 'shipping' | 'facts' | 'clock' | 'emit' | 'signal'>,
): ReturnType<SessionPool['open']> {
  const { host } = task.desired;
  const isOpen = tools.pool.sessions().some((session) => session.host === host);
  const elapsed = stopwatch();
  if (!isOpen) tools.emit({ type: 'host-connecting', host });
  const stop = tools.shipping?.permit(task.spec, (progress) =>
    tools.emit({ type: 'host-runtime', ...progress }),
  );
  const opened = await tools.pool.open(task.spec, tools.signal);
  stop?.();
  if (!opened.ok) return opened;
  if (!isOpen) {
    tools.emit({ type: 'host-connected', host, milliseconds: Math.round(elapsed()) });
    await tools.facts.learn(host, opened.value.hello.facts, timestamp(tools.clock));
  }
  return opened;
}

async function converge(
  session: HostSession,
  task: HostTask,
  tools: HostTools,
): ReturnType<HostSession['converge']> {
  const { desired, entry } = task;
  const { host, role } = desired;
  return session.converge(
    {
      run: isPartial(tools) ? `${tools.run}${partialSuffix}` : tools.run,
      mode: tools.mode,
      key: `${tools.environment}/${role}`,
      digest: desired.digest,
      plan: desired.plan,
      contents: tools.contents,
      applied: entry,
      drift: isDrift(task, tools),
      tags: tools.tags,
      skipTags: tools.skipTags,
      onEvents: (events) => {
        for (const event of events) tools.emit({ type: 'host-event', host, role, event });
      },
    },
    tools.signal,
  );
}

/** Marks, in the host's journal, a run that left resources out. */
const partialSuffix = '.tags';

function isPartial({ tags, skipTags }: HostTools): boolean {
  return tags !== undefined || skipTags !== undefined;
}

/** In a drift run too, a plan that was not in force before is applied as any other. */
function isDrift({ entry, desired }: HostTask, { drift }: HostTools): boolean {
  return drift && entry?.digest === desired.digest;
}

/**
 * The journal's result of a run of this very plan that ended well after its line was lost. A session keeps the journal it began with,
 * so what the ledger learned from later runs goes before it; run ids sort by time.
 */
function finishedBefore(session: HostSession, task: HostTask, tools: HostTools): ConvergeResult | undefined {
  const { entry, failedRun, desired } = task;
  if (tools.mode !== 'apply' || tools.drift || isPartial(tools) || entry?.digest === desired.digest)
    return undefined;
  const key = `${tools.environment}/${desired.role}`;
  const last = session.hello.journal.filter((each) => each.key === key).at(-1);
  if (last?.result?.ok !== true || last.result.mode !== 'apply' || last.digest !== desired.digest)
    return undefined;
  const isLatest = [entry?.run, failedRun].every((run) => run === undefined || run <= last.run);
  if (!isLatest || last.run.endsWith(partialSuffix)) return undefined;
  return { ...last.result, reports: last.reports };
}

/** The run of a result, unless it came from the journal. */
function ownRun(session: HostSession, { run }: ConvergeResult): readonly string[] {
  return session.hello.journal.some((entry) => entry.run === run) ? [] : [run];
}

/** Runs of the journal that have no record but of this key; the others still say what was done for later roles. */
function settledRuns(session: HostSession, key: string): readonly string[] {
  const { journal } = session.hello;
  const others = new Set(journal.filter((entry) => entry.key !== key).map((entry) => entry.run));
  return journal.map((entry) => entry.run).filter((run) => !others.has(run));
}

async function conclude(
  task: HostTask,
  tools: HostTools,
  result: ConvergeResult,
  session: HostSession,
): Promise<HostEnd> {
  const { host, role } = task.desired;
  const { mode } = tools;
  tools.emit({ type: 'host-finished', host, role, mode, result, drift: isDrift(task, tools) });
  const problem = result.ok
    ? undefined
    : placed(firstProblem(result), { environment: tools.environment, host, role });
  if (mode === 'apply') {
    await writeLedger(task, tools, problem);
    session.recorded([...new Set([...ownRun(session, result), ...settledRuns(session, result.key)])]);
  }
  if (problem === undefined) return { kind: 'done', result };
  return { kind: problem.disposition === 'wait' ? 'waiting' : 'failed', problem, result };
}

async function writeLedger(task: HostTask, tools: HostTools, problem: Problem | undefined): Promise<void> {
  const { host, role, digest, inputs, plan } = task.desired;
  const at = timestamp(tools.clock);
  if (problem !== undefined) {
    await tools.ledger.recordFailed(tools.environment, { host, role, digest, at, run: tools.run, problem });
  } else if (!isPartial(tools)) {
    const { revision, run } = tools;
    await tools.ledger.recordApplied(tools.environment, {
      host,
      role,
      digest,
      revision,
      appliedAt: at,
      run,
      inputs,
      plan,
    });
  }
}

/** The line could not be opened, or went away. */
async function lost(task: HostTask, tools: HostTools, problem: Problem): Promise<HostEnd> {
  const { host, role } = task.desired;
  tools.emit({ type: 'host-failed', host, role, problem });
  if (tools.mode === 'apply') await writeLedger(task, tools, problem);
  const kind =
    problem.disposition === 'retry' ? 'unreachable' : problem.disposition === 'wait' ? 'waiting' : 'failed';
  return { kind, problem };
}

function firstProblem(result: ConvergeResult): Problem {
  const report = result.reports.find((each) => each.outcome === 'failed' && each.ignored !== true);
  const problem = report?.problem ?? result.problem;
  if (problem !== undefined)
    return report === undefined ? problem : placed(problem, { resource: report.resource });
  return {
    code: 'agent.internal',
    disposition: 'defect',
    message: 'it failed without saying why',
    hint: 'Please report this.',
  };
}
