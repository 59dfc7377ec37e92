/**
 * `command`: one program run on the host, unless its conditions say there is nothing to do.
 * Invariant: guards run in apply mode only; an exit status that is not accepted is a failure that failedWhen may overrule.
 * Never a shell; its input and environment never appear in a message.
 */

import { type Change, makeChange } from '../protocol/change.ts';
import type { Registered } from '../protocol/outcome.ts';
import type { Problem } from '../protocol/problem.ts';
import { agentProblem } from '../protocol/problem-codes.ts';
import type { CommandShape } from '../protocol/shapes/command.ts';
import { howEnded, lastLines } from '../system/program-end.ts';
import type { RunResult, SystemReader } from '../system/system.ts';
import { cleanPath, mayCome, mayWrite } from './pending.ts';
import type { Resource } from './resource.ts';

/** Characters of output kept for the message of a failure. */
const tailLength = 16 * 1024;

/** Runs argv; registers rc, stdout, stderr and signal. */
export const commandResource: Resource<'command'> = {
  async guard(system, wanted) {
    const { onlyIf, unless, cwd, env } = wanted;
    const holds = async (argv: readonly string[]) => (await system.run(argv, { cwd, env })).status === 0;
    if ((onlyIf ?? unless) === undefined || !(await isDue(system, wanted))) return true;
    if (onlyIf && !(await holds(onlyIf))) return false;
    return !unless || !(await holds(unless));
  },

  async check(system, wanted, context) {
    if (await isDue(system, wanted)) {
      const { creates } = wanted;
      const isMadeBefore =
        creates !== undefined && mayWrite(context.pending, (path) => path === cleanPath(creates));
      return isMadeBefore ? mayCome(creates) : [runChange(wanted)];
    }
    return [];
  },

  async apply(system, wanted) {
    let tail = '';
    const result = await system.run(wanted.argv, {
      stdin: wanted.stdin,
      cwd: wanted.cwd,
      env: wanted.env,
      onOutput: (stream, text) => {
        tail = (tail + text).slice(-tailLength);
        system.report(stream, text);
      },
    });
    return { registered: registeredOf(result), failure: failureOf(wanted, result, tail) };
  },

  async verify(system, wanted) {
    const isMissing = wanted.creates !== undefined && !(await system.stat(wanted.creates));
    return isMissing ? [{ ...runChange(wanted), to: `${wanted.creates} exists` }] : [];
  },
};

async function isDue(system: SystemReader, wanted: CommandShape): Promise<boolean> {
  const { creates, removes } = wanted;
  if (creates !== undefined && (await system.stat(creates))) return false;
  return removes === undefined || (await system.stat(removes)) !== undefined;
}

function runChange(wanted: CommandShape): Change {
  return makeChange('run', 'command', undefined, wanted.argv.join(' ').slice(0, 500));
}

function registeredOf({ status, stdout, stderr, signal }: RunResult): Registered {
  return { rc: status, stdout, stderr, signal };
}

function failureOf(wanted: CommandShape, result: RunResult, tail: string): Problem | undefined {
  const { status } = result;
  if (status !== null && (wanted.exitStatus ?? [0]).includes(status)) return undefined;
  return agentProblem('command.failed', `${wanted.argv[0]} ${howEnded(result)}`, { lines: lastLines(tail) });
}
