/**
 * `towline init`: a policy repository that works as it is, with its first commit.
 * Invariant: nothing is written over; a directory with anything in it is refused. Needs no git program.
 * Contacts nobody.
 */

import { hostname } from 'node:os';
import { relative, resolve } from 'node:path';
import { cliProblem } from '../../base/problem-codes/cli.ts';
import { layTypes } from '../../policy/lay-types.ts';
import { copyTemplate } from '../../policy/repo-template.ts';
import type { Style } from '../../report/style.ts';
import { beginRepository, type Commit } from '../../source/own-repository.ts';
import { type Command, exitStatus, type Surroundings } from '../command.ts';
import { whatIsThere } from '../directory.ts';
import { createOutput } from '../output.ts';
import { refuse } from '../refuse.ts';

export const init: Command = {
  name: 'init',
  args: '[DIR]',
  summary: 'make a policy repository that works as it is',
  examples: [
    ['towline init fleet', 'in a new directory'],
    ['towline init', 'here, where the directory is empty'],
  ],
  async run(invocation) {
    const { args, options, surroundings } = invocation;
    const directory = resolve(surroundings.directory, args[0] ?? '.');
    const inTheWay = whatIsThere(directory);
    if (inTheWay !== undefined)
      return refuse(invocation, [cliProblem('cli.not-empty', `${directory} ${inTheWay}`)]);
    const files = copyTemplate(directory);
    layTypes(directory);
    const commit = await beginRepository(directory, firstCommit(surroundings));
    const made = { directory, commit, files };
    const shown = relative(surroundings.directory, directory);
    createOutput(surroundings, options).document(made, (style) => view(made, shown, style));
    return exitStatus.done;
  },
};

/** By whom git would say it is, as far as the environment tells. */
function firstCommit({ environment, user }: Surroundings): Commit {
  return {
    message: 'Begin with a policy that works as it is\n',
    author: {
      name: environment.GIT_AUTHOR_NAME || user,
      email: environment.GIT_AUTHOR_EMAIL || `${user}@${hostname()}`,
    },
  };
}

interface Made {
  readonly directory: string;
  readonly commit: string;
  readonly files: readonly string[];
}

function view({ directory, commit, files }: Made, shown: string, style: Style): string[] {
  const step = (line: string, does: string): string =>
    `  ${style.paint('accent', style.clean(line.padEnd(32)))}  ${style.paint('dim', style.clean(does))}`;
  return [
    `${style.paint('good', style.clean('✓'))} ${style.clean(directory)}: ${files.length} files, first commit ${style.paint('accent', commit.slice(0, 12))}`,
    '',
    'Next:',
    ...(shown === '' ? [] : [step(`cd ${shown}`, '')]),
    step('edit inventory/production.toml', 'name your own hosts; SSH login is all they need'),
    step('towline validate', 'every problem at once, with its place'),
    step('git commit -am "Name our hosts"', 'plan, apply and run take what is committed'),
    step('towline plan', 'what would be sent where, and why'),
    step('towline apply', 'one run now'),
    step('towline run', 'every commit reaches its hosts'),
    step('towline watch --env production', 'every save is applied while you write'),
  ].map((line) => line.trimEnd());
}
