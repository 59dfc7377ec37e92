/**
 * `towline facts HOST`: what was observed about a host.
 * Invariant: reads them anew from the host; says when the host does not answer and shows what was known.
 * Changes nothing there.
 */

import type { Problem } from '../../../agent/protocol/problem.ts';
import { connectionFor } from '../../../inventory/connection.ts';
import { cliProblem } from '../../base/problem-codes/cli.ts';
import { type Command, type ExitStatus, exitStatus, type Invocation } from '../command.ts';
import { readFleet } from '../fleet.ts';
import { refuse } from '../refuse.ts';
import { factsView } from '../view/facts.ts';
import { type Workspace, withWorkspace } from '../workspace.ts';

export const facts: Command = {
  name: 'facts',
  args: '<HOST>',
  summary: 'what is observed about a host, read anew',
  options: ['worktree'],
  examples: [
    ['towline facts web-1', 'as a tree'],
    ['towline facts web-1 --json', 'for a program'],
  ],
  async run(invocation) {
    const { worktree } = invocation.options;
    const ended = await withWorkspace(invocation, { state: 'read', worktree }, (workspace) =>
      show(workspace, invocation),
    );
    return typeof ended === 'number' ? ended : refuse(invocation, ended.refused);
  },
};

async function show(workspace: Workspace, invocation: Invocation): Promise<ExitStatus> {
  const [host = ''] = invocation.args;
  const fleet = await readFleet(workspace, invocation.options, host);
  if (!fleet.ok) return refuse(invocation, fleet.problems);
  const { pool, clock, defaults } = workspace.services;
  const spec = connectionFor(fleet.value.inventory, host, {}, defaults);
  if (!spec.ok) return refuse(invocation, [spec.problem]);
  const session = await pool.open(spec.value, invocation.surroundings.interrupted);
  const now = clock.now();
  if (session.ok) {
    const { facts: read, factProblems } = session.value.hello;
    const data = { host, facts: read, problems: factProblems, now };
    workspace.output.document(read, (style, width) => factsView(data, style, width));
    return exitStatus.done;
  }
  await showKnown(workspace, host, session.problem);
  return exitStatus.failure;
}

async function showKnown(workspace: Workspace, host: string, problem: Problem): Promise<void> {
  const { output, store, services } = workspace;
  const known = await store.facts.get(host);
  output.problems([problem]);
  if (known === undefined)
    return output.problems([cliProblem('cli.nothing-known', `${host} was never reached`)]);
  const data = { host, facts: known.facts, problems: [], at: known.at, now: services.clock.now() };
  output.document(known.facts, (style, width) => factsView(data, style, width));
}
