/**
 * `towline run`: the reconciler. Commits, polls, drift schedules, until it is stopped.
 * Invariant: one per state directory; a broken revision leaves the last good one in force.
 * Never takes uncommitted files.
 */

import { createLog, createLogSink } from '../../report/log.ts';
import { type Command, exitStatus } from '../command.ts';
import { runController } from '../reconciling.ts';
import { chooseWatchers } from '../watchers.ts';

export const run: Command = {
  name: 'run',
  summary: 'the reconciler: every commit reaches its hosts, drift is looked for on schedule',
  options: ['once'],
  examples: [
    ['towline run --repo https://git.example.org/policy.git', 'follow a remote'],
    ['towline run --repo /srv/policy.git --env production', 'follow a local repository, one environment'],
    ['towline run --once', 'bring everything up to date, then exit'],
  ],
  async run(invocation) {
    const { stdout } = invocation.surroundings;
    const isService = stdout.isTTY !== true && !invocation.options.json;
    const watchers = isService
      ? {
          sink: createLogSink(createLog({ level: invocation.options.verbose > 0 ? 'debug' : 'info' })),
          close: () => {},
        }
      : chooseWatchers(invocation);
    const enough = new AbortController();
    try {
      const status = await runController(invocation, {
        worktree: false,
        schedules: !invocation.options.once,
        watchers: watchers.sink,
        enough: enough.signal,
        onIdle: () => {
          if (invocation.options.once) enough.abort();
        },
      });
      return status === exitStatus.interrupted ? exitStatus.done : status;
    } finally {
      watchers.close();
    }
  },
};
