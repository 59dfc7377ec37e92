/**
 * `towline watch`: every save is planned and pushed.
 * Invariant: a half-written or broken save is never pushed; the last good state stays in force.
 * Needs a working tree on this machine.
 */

import { cliProblem } from '../../base/problem-codes/cli.ts';
import type { Command } from '../command.ts';
import { runController } from '../reconciling.ts';
import { refuse } from '../refuse.ts';
import { chooseWatchers } from '../watchers.ts';

export const watch: Command = {
  name: 'watch',
  summary: 'push every saved file to the hosts it concerns',
  options: ['convergedTimeout', 'cache'],
  examples: [
    ['towline watch --env preview', 'while you write policy'],
    ['towline watch --limit-hosts test-1', 'on one host only'],
    ['towline watch --converged-timeout 5', 'exit after five quiet seconds'],
  ],
  async run(invocation) {
    const { convergedTimeout } = invocation.options;
    const quietSeconds = convergedTimeout === undefined ? undefined : Number(convergedTimeout);
    if (quietSeconds !== undefined && !(quietSeconds > 0)) {
      return refuse(invocation, [
        cliProblem('cli.bad-option', `--converged-timeout ${convergedTimeout}: give seconds`),
      ]);
    }
    const watchers = await chooseWatchers(invocation);
    const enough = new AbortController();
    let quiet: NodeJS.Timeout | undefined;
    try {
      return await runController(invocation, {
        worktree: true,
        schedules: false,
        watchers: watchers.sink,
        hold: watchers.hold,
        enough: enough.signal,
        onRun: () => clearTimeout(quiet),
        onIdle: (controller) => {
          clearTimeout(quiet);
          if (quietSeconds === undefined) return;
          quiet = setTimeout(() => controller.idle && enough.abort(), quietSeconds * 1000);
        },
      });
    } finally {
      clearTimeout(quiet);
      watchers.close();
    }
  },
};
