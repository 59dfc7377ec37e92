/**
 * One run of one environment, now: what plan, check, apply and drift have in common.
 * Invariant: the exit status follows from the summary alone; differences found by looking are 2, never 0.
 * Never starts a second run.
 */

import type { Problem } from '../../agent/protocol/problem.ts';
import { limitHosts } from '../../inventory/select.ts';
import type { EventSink, RunMode, RunSummary } from '../base/event.ts';
import { cliProblem } from '../base/problem-codes/cli.ts';
import { reconcile } from '../reconcile.ts';
import type { Run, RunRequest } from '../steps/run.ts';
import { type ExitStatus, exitStatus, type Invocation } from './command.ts';
import type { LocalHost } from './local-host.ts';
import { commonRequest, pickEnvironment } from './pick.ts';
import { refuse } from './refuse.ts';
import { chooseWatchers } from './watchers.ts';
import { type Workspace, withWorkspace } from './workspace.ts';

export interface OneRunOptions {
  readonly mode: RunMode;
  /** No host is contacted. */
  readonly offline: boolean;
  /** State is written: the run counts. */
  readonly records: boolean;
  /** Whether events are shown as they come; a plan is shown as a document instead. */
  readonly live: boolean;
  /** Only this machine, without SSH. */
  readonly local?: LocalHost | undefined;
  /** Sees the events of a run that is not shown live. */
  readonly watch?: EventSink;
  /** The exit status, where it does not follow from the summary. */
  readonly statusOf?: (run: Run) => ExitStatus;
  /** Called when the run has ended, with the workspace still open. */
  readonly show?: (run: Run, summary: RunSummary, workspace: Workspace) => Promise<void>;
}

/** Runs once and tells how it went. */
export async function oneRun(invocation: Invocation, options: OneRunOptions): Promise<ExitStatus> {
  const watchers = options.live ? await chooseWatchers(invocation) : undefined;
  const about = {
    state: options.records ? ('write' as const) : ('read' as const),
    worktree: invocation.options.worktree,
    evaluates: true,
    watchers: watchers?.sink ?? options.watch,
    hold: watchers?.hold,
    local: options.local,
  };
  try {
    const ended = await withWorkspace(invocation, about, (workspace) =>
      runIn(workspace, invocation, options),
    );
    if (typeof ended === 'number') return ended;
    return refuse(invocation, ended.refused);
  } finally {
    watchers?.close();
  }
}

async function runIn(
  workspace: Workspace,
  invocation: Invocation,
  options: OneRunOptions,
): Promise<ExitStatus> {
  const [environment, common] = [
    await pickEnvironment(workspace, invocation.options.env),
    await commonRequest(invocation),
  ];
  if (!environment.ok || !common.ok) {
    return refuse(
      invocation,
      [environment, common].flatMap((part) => (part.ok ? [] : part.problems)),
    );
  }
  const { mode, offline, records } = options;
  const request: RunRequest = {
    ...common.value,
    environment: environment.value,
    trigger: 'manual',
    mode,
    offline,
    records,
    onlyHosts:
      options.local === undefined
        ? await failedHosts(workspace, invocation, environment.value.name)
        : new Set([options.local.name]),
    revision: invocation.options.rev,
  };
  const never = new AbortController().signal;
  const run = workspace.runs.make(request, {
    signal: invocation.surroundings.interrupted,
    superseded: never,
  });
  const summary = await reconcile(run);
  const nobody = nobodyMatches(run, options.local);
  if (nobody !== undefined) {
    workspace.output.problems([nobody]);
    return exitStatus.failure;
  }
  await options.show?.(run, summary, workspace);
  return options.statusOf?.(run) ?? statusOf(run, summary);
}

/** A limit that matches no host at all is a mistake, not a fleet in order. */
function nobodyMatches(run: Run, local: LocalHost | undefined): Problem | undefined {
  if (run.loaded === undefined) return undefined;
  const { inventory } = run.loaded;
  const { environment, limitHosts: hosts, limitGroups: groups } = run.request;
  if (local !== undefined && !inventory.hosts.has(local.name))
    return cliProblem(
      'cli.unknown-host',
      `${environment.name} has no host ${local.name}; --host names another`,
    );
  const limits = {
    hosts: hosts.length === 0 ? undefined : hosts,
    groups: groups.length === 0 ? undefined : groups,
  };
  if (limitHosts([...inventory.hosts.values()], limits).length > 0 || inventory.hosts.size === 0)
    return undefined;
  const wanted = [...hosts, ...groups].join(', ');
  return cliProblem('cli.unknown-host', `no host of ${environment.name} matches ${wanted}`);
}

/** `--only failed`: the hosts with a try that did not succeed. */
async function failedHosts(
  workspace: Workspace,
  { options }: Invocation,
  environment: string,
): Promise<ReadonlySet<string> | undefined> {
  if (options.only === undefined) return undefined;
  return new Set((await workspace.store.ledger.failed(environment)).map(({ host }) => host));
}

function statusOf(run: Run, summary: RunSummary): ExitStatus {
  if (summary.outcome === 'cancelled') return exitStatus.interrupted;
  if (summary.outcome === 'failed' || summary.outcome === 'stalled') return exitStatus.failure;
  const looksOnly = run.request.mode === 'check' || run.request.mode === 'drift-report';
  if (!looksOnly) return exitStatus.done;
  const { changed } = summary.resources;
  const unknown = run.request.mode === 'drift-report' ? 0 : summary.resources.unknown;
  const planned = run.request.offline
    ? (run.decision?.affected.length ?? 0) + (run.decision?.needFacts.length ?? 0)
    : 0;
  return changed + unknown + planned > 0 ? exitStatus.differences : exitStatus.done;
}
