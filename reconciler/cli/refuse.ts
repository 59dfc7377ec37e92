/**
 * Ends a command that could not begin: its problems, and status 1, or 64 where only the command line is wrong.
 * Invariant: says every problem it was given.
 * Never exits.
 */

import type { Problem } from '../../agent/protocol/problem.ts';
import { type ExitStatus, exitStatus, type Invocation } from './command.ts';
import { createOutput } from './output.ts';

export function refuse(invocation: Invocation, problems: readonly Problem[]): ExitStatus {
  createOutput(invocation.surroundings, invocation.options).problems(problems);
  const isUsage = problems.length > 0 && problems.every(({ code }) => code === 'cli.bad-option');
  return isUsage ? exitStatus.usage : exitStatus.failure;
}
