/**
 * Which environment a command is about, and the request its options make.
 * Invariant: with several environments a command that changes or asks hosts needs --env; problems name the choices.
 * Never opens anything.
 */

import type { Json } from '../../agent/protocol/json.ts';
import { type Checked, type Problem, success } from '../../agent/protocol/problem.ts';
import { cliProblem } from '../base/problem-codes/cli.ts';
import { planProblem } from '../base/problem-codes/plan.ts';
import type { Environment } from '../policy/environment.ts';
import type { RunRequest } from '../steps/run.ts';
import type { Invocation } from './command.ts';
import { readExtraVariables } from './extra-variables.ts';
import type { Workspace } from './workspace.ts';

/** The environments a command is about: --env, or all of them. */
export async function pickEnvironments(
  workspace: Workspace,
  wanted: string | undefined,
): Promise<Checked<readonly Environment[]>> {
  const found = await workspace.environments.discover();
  const chosen = found.environments.filter(({ name }) => wanted === undefined || name === wanted);
  if (chosen.length > 0) return success(chosen);
  if (found.problems.length > 0) return { ok: false, problems: found.problems };
  const names = found.environments.map(({ name }) => name).join(', ');
  const problem =
    wanted === undefined
      ? planProblem('plan.no-environment', 'towline.toml declares no environment that has a branch')
      : planProblem(
          'plan.unknown-environment',
          `there is no environment ${wanted}; there are: ${names || 'none'}`,
        );
  return { ok: false, problems: [problem] };
}

/** The one environment a command is about. */
export async function pickEnvironment(
  workspace: Workspace,
  wanted: string | undefined,
): Promise<Checked<Environment>> {
  const picked = await pickEnvironments(workspace, wanted);
  if (!picked.ok) return picked;
  const [only, ...others] = picked.value;
  if (only !== undefined && others.length === 0) return success(only);
  const names = picked.value.map(({ name }) => name).join(', ');
  return {
    ok: false,
    problems: [cliProblem('cli.choose-environment', `there are several environments: ${names}`)],
  };
}

/** What the options say about any run. */
export type CommonRequest = Pick<
  RunRequest,
  'limitHosts' | 'limitGroups' | 'tags' | 'skipTags' | 'extraVariables' | 'force'
>;

export async function commonRequest({ options, surroundings }: Invocation): Promise<Checked<CommonRequest>> {
  const extra = await readExtraVariables(options.extraVars, surroundings.directory);
  if (!extra.ok) return { ok: false, problems: [extra.problem] satisfies readonly Problem[] };
  const extraVariables: Readonly<Record<string, Json>> = extra.value;
  const { limitHosts, limitGroups, tags, skipTags, force } = options;
  return success({ limitHosts, limitGroups, tags, skipTags, extraVariables, force });
}
