/**
 * `towline demo`: the whole path on this machine, as a tour, then watching so that a person can edit and see.
 * Invariant: what it made is gone when it ends, however it ends; only a directory named with --dir is kept.
 * Contacts nothing but its own hosts on 127.0.0.1.
 */

import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { connectionFor } from '../../../inventory/connection.ts';
import { builtInDefaults } from '../../../inventory/defaults.ts';
import type { EventSink } from '../../base/event.ts';
import { cliProblem } from '../../base/problem-codes/cli.ts';
import { type DemoHost, startDemoHosts, stopDemoHosts } from '../../demo/demo-hosts.ts';
import { beginPolicy, demoEnvironment } from '../../demo/demo-policy.ts';
import { editHints, farewell, welcome } from '../../demo/hints.ts';
import { createNarrator, type Narrator } from '../../demo/narrator.ts';
import { RunWatch } from '../../demo/run-watch.ts';
import { type TourEnd, takeTour } from '../../demo/tour.ts';
import { type Command, type ExitStatus, exitStatus, type Invocation } from '../command.ts';
import { whatIsThere } from '../directory.ts';
import { readFleet } from '../fleet.ts';
import { createOutput } from '../output.ts';
import { runController } from '../reconciling.ts';
import { refuse } from '../refuse.ts';
import { chooseWatchers } from '../watchers.ts';
import type { Workspace } from '../workspace.ts';

export const demo: Command = {
  name: 'demo',
  summary: 'a tour on this machine: three hosts, a commit, what it changes where',
  options: ['once', 'dir'],
  examples: [
    ['towline demo', 'the tour, then edit and see it applied'],
    ['towline demo --once', 'the tour only'],
    ['towline demo --dir play', 'keep the policy and the folders of the hosts'],
  ],
  async run(invocation) {
    const { options, surroundings } = invocation;
    if (options.dir === undefined) {
      const folder = mkdtempSync(join(realpathSync(tmpdir()), 'towline-demo-'));
      return demonstrate(invocation, folder).finally(() => remove(folder));
    }
    const folder = resolve(surroundings.directory, options.dir);
    const inTheWay = whatIsThere(folder);
    if (inTheWay === undefined) return demonstrate(invocation, folder);
    return refuse(invocation, [cliProblem('cli.not-empty', `${folder} ${inTheWay}`)]);
  },
};

/** An agent that has just lost its line may still be putting things away. */
function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}

async function demonstrate(outer: Invocation, folder: string): Promise<ExitStatus> {
  const policy = join(folder, 'policy');
  const { options, surroundings } = outer;
  const invocation: Invocation = {
    ...outer,
    options: { ...options, repo: policy, state: join(folder, 'state'), env: demoEnvironment },
  };
  const narrator = createNarrator({
    stream: surroundings.stdout,
    style: createOutput(surroundings, options).style,
    json: options.json,
    paused: surroundings.stdout.isTTY === true,
    signal: surroundings.interrupted,
  });
  narrator.say(welcome());
  const hosts = await startDemoHosts(folder);
  try {
    const commit = await beginPolicy(policy, hosts);
    return await guide(invocation, { folder, policy, commit, hosts, narrator });
  } finally {
    await stopDemoHosts(hosts);
  }
}

interface Stage {
  readonly folder: string;
  readonly policy: string;
  readonly commit: string;
  readonly hosts: readonly DemoHost[];
  readonly narrator: Narrator;
}

async function guide(invocation: Invocation, stage: Stage): Promise<ExitStatus> {
  const { options, surroundings } = invocation;
  const end = await tour(invocation, stage);
  if (end === 'interrupted') return exitStatus.interrupted;
  if (end === 'failed') {
    return refuse(invocation, [cliProblem('cli.demo-failed', 'a run of the demo did not go well')]);
  }
  if (!options.once) {
    stage.narrator.step('Your turn: every file you save is applied', editHints(stage));
    await watchFiles(invocation);
  }
  stage.narrator.say(farewell(surroundings, options.dir === undefined ? undefined : stage.folder));
  return exitStatus.done;
}

/** The reconciler follows commits while the tour lasts. */
async function tour(invocation: Invocation, stage: Stage): Promise<TourEnd> {
  const { clock, interrupted } = invocation.surroundings;
  const ended = new AbortController();
  const runs = new RunWatch();
  const reports = await reporters(invocation, runs);
  let reconciling: Promise<void> | undefined;
  const start = (): void => {
    reconciling = runController(invocation, {
      worktree: false,
      schedules: false,
      unannounced: true,
      defaults: builtInDefaults,
      watchers: reports.sink,
      enough: ended.signal,
    }).then(() => ended.abort());
  };
  try {
    const signal = AbortSignal.any([interrupted, ended.signal]);
    const end = await takeTour({ ...stage, runs, start, signal, now: () => clock.now() });
    return end === 'interrupted' && !interrupted.aborted ? 'failed' : end;
  } finally {
    ended.abort();
    await reconciling;
    reports.close();
  }
}

/** The first run brings everything new: it is told without the list of what changed. */
async function reporters(
  invocation: Invocation,
  runs: RunWatch,
): Promise<{ sink: EventSink; close: () => void }> {
  const { options } = invocation;
  const brief = { ...invocation, options: { ...options, verbose: options.verbose - 1 } };
  const [first, others] = [await chooseWatchers(brief), await chooseWatchers(invocation)];
  let watchers = first;
  return {
    sink(event) {
      watchers.sink(event);
      runs.sink(event);
      if (event.type !== 'run-finished') return;
      watchers.close();
      watchers = others;
    },
    close: () => watchers.close(),
  };
}

/** The reconciler follows saved files until the person has seen enough. */
async function watchFiles(invocation: Invocation): Promise<void> {
  const watchers = await chooseWatchers(invocation);
  try {
    await runController(invocation, {
      worktree: true,
      schedules: false,
      unannounced: true,
      defaults: builtInDefaults,
      watchers: watchers.sink,
      onReady: (workspace) => void openLines(workspace, invocation),
    });
  } finally {
    watchers.close();
  }
}

/** So that the first save does not wait for a login. A line that does not open is told by the run that needs it. */
async function openLines(workspace: Workspace, { options, surroundings }: Invocation): Promise<void> {
  const fleet = await readFleet(workspace, options);
  if (!fleet.ok) return;
  for (const { name } of fleet.value.hosts) {
    const spec = connectionFor(fleet.value.inventory, name, {});
    if (spec.ok) await workspace.services.pool.open(spec.value, surroundings.interrupted);
  }
}
