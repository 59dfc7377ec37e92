/**
 * `towline apply`: one run now, then exit.
 * Invariant: exit 0 only when every affected host is done.
 * Never waits for hosts that are off.
 */

import type { Command } from '../command.ts';
import { askedLocal } from '../local-host.ts';
import { oneRun } from '../one-run.ts';
import { refuse } from '../refuse.ts';

export const apply: Command = {
  name: 'apply',
  summary: 'bring the hosts to the policy, once',
  options: ['rev', 'worktree', 'local', 'host', 'force', 'cache'],
  examples: [
    ['towline apply', 'what is affected, and nothing else'],
    ['towline apply --limit-hosts "web-*"', 'only these hosts'],
    ['towline apply --only failed', 'hosts whose last try failed'],
    ['towline apply --local', 'this machine, without SSH'],
  ],
  async run(invocation) {
    const local = askedLocal(invocation);
    if (!local.ok) return refuse(invocation, [local.problem]);
    return oneRun(invocation, {
      mode: 'apply',
      offline: false,
      records: true,
      live: true,
      local: local.value,
    });
  },
};
