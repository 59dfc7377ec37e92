/**
 * `towline run`: the reconciler. Commits, polls, drift schedules, until it is stopped.
 * Invariant: one per state directory; a broken revision leaves the last good one in force.
 * Never takes uncommitted files.
 */

import { failure, type Result, success } from '../../../agent/protocol/problem.ts';
import type { LogDefaults } from '../../../inventory/defaults.ts';
import type { EventSink } from '../../base/event.ts';
import { cliProblem } from '../../base/problem-codes/cli.ts';
import { createLog, createLogSink } from '../../report/log.ts';
import { type Command, exitStatus, type Invocation } from '../command.ts';
import { readDefaults } from '../defaults-file.ts';
import { runController } from '../reconciling.ts';
import { refuse } from '../refuse.ts';
import { chooseWatchers, type Watchers } from '../watchers.ts';

export const run: Command = {
  name: 'run',
  summary: 'the reconciler: every commit reaches its hosts, drift is looked for on schedule',
  options: ['once', 'cache'],
  examples: [
    ['towline run --repo https://git.example.org/policy.git', 'follow a remote'],
    ['towline run --repo /srv/policy.git --env production', 'follow a local repository, one environment'],
    ['towline run --once', 'bring everything up to date, then exit'],
  ],
  async run(invocation) {
    const defaults = await readDefaults(invocation.surroundings);
    if (!defaults.ok) return refuse(invocation, defaults.problems);
    const watchers = await watchersFor(invocation, defaults.value.log);
    if (!watchers.ok) return refuse(invocation, [watchers.problem]);
    const enough = new AbortController();
    try {
      const status = await runController(invocation, {
        worktree: false,
        schedules: !invocation.options.once,
        defaults: defaults.value,
        watchers: watchers.value.sink,
        hold: watchers.value.hold,
        enough: enough.signal,
        onIdle: () => {
          if (invocation.options.once) enough.abort();
        },
      });
      return status === exitStatus.interrupted ? exitStatus.done : status;
    } finally {
      watchers.value.close();
    }
  },
};

/** A service writes its log; on a terminal the runs are shown, and logged too where the defaults name a file. */
async function watchersFor(invocation: Invocation, { level, file }: LogDefaults): Promise<Result<Watchers>> {
  const { options, surroundings } = invocation;
  const isService = surroundings.stdout.isTTY !== true && !options.json;
  if (!isService && file === undefined) return success(await chooseWatchers(invocation));
  let log: EventSink;
  try {
    log = createLogSink(createLog({ level: options.verbose > 0 ? 'debug' : level, file }));
  } catch (error) {
    const message = `${file}: ${(error as Error).message}`;
    return failure(cliProblem('cli.log-unwritable', message, { where: { file: file ?? '' } }));
  }
  if (isService) return success({ sink: log, close: () => {} });
  const shown = await chooseWatchers(invocation);
  const sink: EventSink = (event) => {
    shown.sink(event);
    log(event);
  };
  return success({ sink, close: () => shown.close(), hold: shown.hold });
}
