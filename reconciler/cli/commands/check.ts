/**
 * `towline check`: the plan, asked of the hosts; a dry run there.
 * Invariant: nothing on a host and nothing in the state changes; differences end with 2.
 * Never takes the state's lock.
 */

import type { Command } from '../command.ts';
import { askedLocal } from '../local-host.ts';
import { oneRun } from '../one-run.ts';
import { refuse } from '../refuse.ts';

export const check: Command = {
  name: 'check',
  summary: 'dry run on the hosts: what apply would change there',
  options: ['rev', 'worktree', 'local', 'host', 'force'],
  examples: [
    ['towline check', 'what the next apply would do, looked up on the hosts'],
    ['towline check --worktree', 'the same for files that are not committed yet'],
    ['towline check --force', 'every host, also those that are up to date by the ledger'],
  ],
  async run(invocation) {
    const local = askedLocal(invocation);
    if (!local.ok) return refuse(invocation, [local.problem]);
    return oneRun(invocation, {
      mode: 'check',
      offline: false,
      records: false,
      live: true,
      local: local.value,
    });
  },
};
