/**
 * `towline completion SHELL`: the completion script for bash, zsh or fish.
 * Invariant: built from the same table as the help.
 * Asks no host and no state.
 */

import { cliProblem } from '../../base/problem-codes/cli.ts';
import { type Command, exitStatus, type WholeProgram } from '../command.ts';
import { completionScript, shells } from '../completion.ts';
import { refuse } from '../refuse.ts';

/** The command; the program it completes is asked for when it runs. */
export function completion(program: WholeProgram): Command {
  return {
    name: 'completion',
    args: '<SHELL>',
    summary: `completion script for ${shells.join(', ')}`,
    examples: [
      ['towline completion bash > /etc/bash_completion.d/towline', 'for every user'],
      ['towline completion fish > ~/.config/fish/completions/towline.fish', 'for fish'],
    ],
    async run(invocation) {
      const shell = shells.find((each) => each === invocation.args[0]);
      if (shell === undefined) {
        return refuse(invocation, [
          cliProblem('cli.bad-option', `${invocation.args[0]}: choose one of ${shells.join(', ')}`),
        ]);
      }
      invocation.surroundings.stdout.write(completionScript(await program(), shell));
      return exitStatus.done;
    },
  };
}
