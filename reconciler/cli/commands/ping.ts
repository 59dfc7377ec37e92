/**
 * `towline ping`: which hosts answer, how fast, and what each hop on the way adds.
 * Invariant: every host gets a row; one that does not answer gets the place where the way ends, and the reason.
 * Changes nothing on a host.
 */

import { connectionFor } from '../../../inventory/connection.ts';
import type { Inventory } from '../../../inventory/model.ts';
import { limited } from '../../base/limited.ts';
import type { Survey, Way } from '../../connection/session.ts';
import type { Services } from '../../steps/run.ts';
import { type Command, exitStatus } from '../command.ts';
import { readFleet } from '../fleet.ts';
import { refuse } from '../refuse.ts';
import { type PingAnswer, pingView } from '../view/ping.ts';
import { withWorkspace } from '../workspace.ts';

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
      const { services, output } = workspace;
      const limit = { most: environment.parallel, signal };
      const survey = workspace.survey(signal);
      const reached = await limited(hosts, limit, ({ name }) => reach(services, inventory, { name, survey }));
      const ways = reached.filter((each) => each !== undefined);
      // Not before all lines are open: setting one up would count into the round trips of the others.
      const answers = await limited(ways, { most: limit.most }, async ({ host, way }) =>
        answerOf(host, signal.aborted ? way : await survey.measure(way)),
      );
      survey.end();
      const known = answers.filter((answer) => answer !== undefined);
      output.document(known, (style, width) => pingView(known, style, width));
      if (signal.aborted) return exitStatus.interrupted;
      return known.some(({ problem }) => problem !== undefined) ? exitStatus.failure : exitStatus.done;
    });
    return typeof ended === 'number' ? ended : refuse(invocation, ended.refused);
  },
};

interface Reached {
  readonly host: string;
  readonly way: Way;
}

async function reach(
  { defaults }: Pick<Services, 'defaults'>,
  inventory: Inventory,
  { name, survey }: { readonly name: string; readonly survey: Survey },
): Promise<Reached> {
  const spec = connectionFor(inventory, name, {}, defaults);
  if (spec.ok) return { host: name, way: await survey.reach(spec.value) };
  return { host: name, way: { hops: [{ host: name, kind: 'ssh', problem: spec.problem }] } };
}

function answerOf(host: string, { hops, session }: Way): PingAnswer {
  const last = hops.at(-1);
  if (session === undefined) return { host, hops, problem: last?.problem };
  const { facts, node } = session.hello;
  return {
    host,
    hops,
    milliseconds: last?.roundTripMilliseconds,
    connectMilliseconds: hops.reduce((sum, { setUpMilliseconds = 0 }) => sum + setUpMilliseconds, 0),
    about: `${facts.account?.user ?? '?'}, node ${node.replace(/^v/, '')}`,
  };
}
