/**
 * `towline apply`: one run now, then exit.
 * Invariant: exit 0 only when every affected host is done.
 * Never waits for hosts that are off.
 */

import { hostname } from 'node:os';
import { type Command, exitStatus } from '../command.ts';
import { localHost } from '../local-host.ts';
import { oneRun } from '../one-run.ts';
import { createOutput } from '../output.ts';

export const apply: Command = {
  name: 'apply',
  summary: 'bring the hosts to the policy, once',
  options: ['rev', 'worktree', 'local', 'host', 'force'],
  examples: [
    ['towline apply', 'what is affected, and nothing else'],
    ['towline apply --limit-hosts "web-*"', 'only these hosts'],
    ['towline apply --only failed', 'hosts whose last try failed'],
    ['towline apply --local', 'this machine, without SSH'],
  ],
  async run(invocation) {
    const { options, surroundings } = invocation;
    if (options.host !== undefined && !options.local) {
      createOutput(surroundings, options).remark('--host belongs to --local; --limit-hosts narrows a run');
      return exitStatus.usage;
    }
    const local = options.local ? localHost(options.host ?? hostname(), surroundings.user) : undefined;
    return oneRun(invocation, { mode: 'apply', offline: false, records: true, live: true, local });
  },
};
