/**
 * `towline history`: the runs that did something, newest first.
 * Invariant: reads the state beside a running reconciler.
 * Writes nothing.
 */

import { cliProblem } from '../../base/problem-codes/cli.ts';
import type { Command } from '../command.ts';
import { readState } from '../read-state.ts';
import { refuse } from '../refuse.ts';
import { historyView } from '../view/history.ts';

export const history: Command = {
  name: 'history',
  summary: 'runs, newest first',
  options: ['limit', 'host'],
  examples: [
    ['towline history', 'the last twenty runs'],
    ['towline history --env production -n 100', 'more of one environment'],
    ['towline history --host web-1', 'what happened to a host'],
  ],
  run(invocation) {
    const { env, host, limit = '20' } = invocation.options;
    const count = Number(limit);
    if (!Number.isInteger(count) || count < 1) {
      return Promise.resolve(
        refuse(invocation, [cliProblem('cli.bad-option', `--limit ${limit}: give a number of runs`)]),
      );
    }
    return readState(invocation, async (store, output) => {
      const runs = await store.history.runs({ environment: env, host, limit: count });
      const now = invocation.surroundings.clock.now();
      output.document(runs, (style, width) => historyView({ runs, now }, style, width));
      return [];
    });
  },
};
