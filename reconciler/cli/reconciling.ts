/**
 * The controller on a workspace, until it is interrupted: what run, watch and demo have in common.
 * Invariant: the first interrupt lets the resource in hand finish; exit 130 tells that a person ended it.
 * Never reconciles by itself.
 */

import type { Defaults } from '../../inventory/defaults.ts';
import type { EventSink, RunSummary } from '../base/event.ts';
import { Controller } from '../controller.ts';
import { type ExitStatus, exitStatus, type Invocation } from './command.ts';
import { dropOldHistory } from './old-history.ts';
import { commonRequest } from './pick.ts';
import { refuse } from './refuse.ts';
import { type Workspace, withWorkspace } from './workspace.ts';

export interface ReconcilingOptions {
  readonly worktree: boolean;
  /** Poll and drift schedules. */
  readonly schedules: boolean;
  readonly watchers: EventSink;
  /** Stills who watches until the result is called. */
  readonly hold?: (() => () => void) | undefined;
  /** The controller's defaults, where they were read already. */
  readonly defaults?: Defaults | undefined;
  /** Where the policy comes from has been told. */
  readonly unannounced?: boolean | undefined;
  /** Ends it from inside, as an interrupt does from outside. */
  readonly enough?: AbortSignal | undefined;
  readonly onRun?: ((environment: string, summary: RunSummary) => void) | undefined;
  /** Called whenever nothing waits and nothing runs, the first look included. */
  readonly onIdle?: ((controller: Controller) => void) | undefined;
  /** Called when everything is open, before the first look. */
  readonly onReady?: ((workspace: Workspace, controller: Controller) => void) | undefined;
}

/** Runs the controller. Ended from inside, the status is a failure where the last run of an environment did not go well. */
export async function runController(
  invocation: Invocation,
  options: ReconcilingOptions,
): Promise<ExitStatus> {
  const { worktree, watchers, hold, defaults, schedules: patient } = options;
  const ended = await withWorkspace(
    invocation,
    { state: 'write', worktree, evaluates: true, watchers, hold, defaults, patient },
    (workspace) => loop(workspace, invocation, options),
  );
  return typeof ended === 'number' ? ended : refuse(invocation, ended.refused);
}

async function loop(
  workspace: Workspace,
  invocation: Invocation,
  options: ReconcilingOptions,
): Promise<ExitStatus> {
  const common = await commonRequest(invocation);
  if (!common.ok) return refuse(invocation, common.problems);
  const { env } = invocation.options;
  const { interrupted, random } = invocation.surroundings;
  const signal = options.enough === undefined ? interrupted : AbortSignal.any([interrupted, options.enough]);
  const bad = new Set<string>();
  const controller: Controller = new Controller({
    services: workspace.services,
    source: workspace.source,
    environments: workspace.environments,
    runs: workspace.runs,
    random,
    worktree: options.worktree,
    schedules: options.schedules,
    only: env === undefined ? [] : [env],
    request: common.value,
    onProblem: (problem) => {
      bad.add('');
      workspace.output.problems([problem]);
    },
    onRun: (environment, summary) => {
      if (wentWell(summary)) bad.delete(environment);
      else bad.add(environment);
      options.onRun?.(environment, summary);
    },
    onIdle: () => options.onIdle?.(controller),
  });
  if (options.unannounced !== true) workspace.output.remark(workspace.source.describe());
  options.onReady?.(workspace, controller);
  const { store, services, output } = workspace;
  const stopDropping = dropOldHistory(store.history, services.clock, (error) =>
    output.remark(`old runs could not be dropped: ${String(error)}`),
  );
  await controller.run(signal);
  stopDropping();
  if (interrupted.aborted) return exitStatus.interrupted;
  return bad.size === 0 ? exitStatus.done : exitStatus.failure;
}

function wentWell({ outcome }: RunSummary): boolean {
  return outcome === 'done' || outcome === 'nothing-to-do';
}
