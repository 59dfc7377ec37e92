/**
 * `towline validate`: loads everything and reports all problems with file, line and column.
 * Invariant: every environment is loaded, and every role evaluated for every host whose facts are known or not needed.
 * Contacts nobody, writes nothing.
 */

import type { Problem } from '../../../agent/protocol/problem.ts';
import { reconcile } from '../../reconcile.ts';
import { type Command, exitStatus, type Invocation } from '../command.ts';
import { commonRequest, pickEnvironments } from '../pick.ts';
import { refuse } from '../refuse.ts';
import { type Workspace, withWorkspace } from '../workspace.ts';

export const validate: Command = {
  name: 'validate',
  summary: 'load everything, report all problems',
  options: ['rev'],
  examples: [
    ['towline validate', 'the files as they are on disk'],
    ['towline validate --rev 3f2c1aa', 'a revision'],
  ],
  async run(invocation) {
    const worktree = invocation.options.rev === undefined;
    const ended = await withWorkspace(invocation, { state: 'read', worktree, evaluates: true }, (workspace) =>
      look(workspace, invocation),
    );
    return typeof ended === 'number' ? ended : refuse(invocation, ended.refused);
  },
};

async function look(workspace: Workspace, invocation: Invocation): Promise<0 | 1> {
  const { output } = workspace;
  const picked = await pickEnvironments(workspace, invocation.options.env);
  const common = await commonRequest(invocation);
  if (!picked.ok || !common.ok) {
    output.problems([picked, common].flatMap((part) => (part.ok ? [] : part.problems)));
    return exitStatus.failure;
  }
  const never = new AbortController().signal;
  const problems = new Map<string, Problem>();
  for (const environment of picked.value) {
    const request = {
      ...common.value,
      environment,
      trigger: 'manual' as const,
      mode: 'check' as const,
      offline: true,
      records: false,
      force: true,
      revision: invocation.options.rev,
    };
    const run = workspace.runs.make(request, {
      signal: invocation.surroundings.interrupted,
      superseded: never,
    });
    await reconcile(run);
    for (const problem of run.problems) problems.set(keyOf(problem), problem);
  }
  output.problems([...problems.values()]);
  if (problems.size > 0) return exitStatus.failure;
  const names = picked.value.map(({ name }) => name).join(', ');
  output.remark(`valid: ${names}`);
  return exitStatus.done;
}

/** Environments share roles, so one mistake shows up in each. */
function keyOf({ code, message, where }: Problem): string {
  return JSON.stringify([
    code,
    message,
    where?.file,
    where?.line,
    where?.column,
    where?.role,
    where?.resource,
  ]);
}
