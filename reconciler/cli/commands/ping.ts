/**
 * `towline ping`: which hosts answer, and how fast.
 * Invariant: every host gets a row; one that does not answer gets its reason.
 * Changes nothing on a host.
 */

import { connectionFor } from '../../../inventory/connection.ts';
import type { Inventory } from '../../../inventory/model.ts';
import { limited } from '../../base/limited.ts';
import { type Command, exitStatus } from '../command.ts';
import { readFleet } from '../fleet.ts';
import { refuse } from '../refuse.ts';
import { type PingAnswer, pingView } from '../view/ping.ts';
import { type Workspace, withWorkspace } from '../workspace.ts';

export const ping: Command = {
  name: 'ping',
  args: '[PATTERN]',
  summary: 'reach hosts and measure the way',
  options: ['worktree'],
  examples: [
    ['towline ping', 'every host'],
    ['towline ping "web-*"', 'some hosts'],
    ['towline ping @web', 'the hosts of a group'],
  ],
  async run(invocation) {
    const { options, args, surroundings } = invocation;
    const about = { state: 'read' as const, worktree: options.worktree };
    const ended = await withWorkspace(invocation, about, async (workspace) => {
      const fleet = await readFleet(workspace, options, args[0]);
      if (!fleet.ok) return refuse(invocation, fleet.problems);
      const { hosts, inventory, environment } = fleet.value;
      const signal = surroundings.interrupted;
      const answers = await limited(hosts, { most: environment.parallel, signal }, ({ name }) =>
        reach(workspace, inventory, { name, signal }),
      );
      const known = answers.filter((answer) => answer !== undefined);
      workspace.output.document(known, (style, width) => pingView(known, style, width));
      return known.some(({ problem }) => problem !== undefined) ? exitStatus.failure : exitStatus.done;
    });
    return typeof ended === 'number' ? ended : refuse(invocation, ended.refused);
  },
};

async function reach(
  { services: { pool, clock, defaults } }: Workspace,
  inventory: Inventory,
  { name, signal }: { readonly name: string; readonly signal: AbortSignal },
): Promise<PingAnswer> {
  const spec = connectionFor(inventory, name, {}, defaults);
  if (!spec.ok) return { host: name, problem: spec.problem };
  const startedAt = clock.now();
  const session = await pool.open(spec.value, signal);
  if (!session.ok) return { host: name, problem: session.problem };
  const connectMilliseconds = clock.now() - startedAt;
  const answer = await session.value.ping();
  if (!answer.ok) return { host: name, connectMilliseconds, problem: answer.problem };
  const { facts, node } = session.value.hello;
  return {
    host: name,
    milliseconds: answer.value,
    connectMilliseconds,
    about: `${facts.account?.user ?? '?'}, node ${node.replace(/^v/, '')}`,
  };
}
