/**
 * A Runner inside a container, over a Runner on the machine that has its program.
 * Invariant: the command goes through as one argument, whatever it holds.
 * Never asks for a terminal: the programs would mix the streams.
 */

import { failure, type Result } from '../../agent/protocol/problem.ts';
import type { ContainerKind } from '../../inventory/connection-spec.ts';
import { connectionProblem } from '../base/problem-codes/connection.ts';
import type { ContainerTarget } from './kinds/container-program.ts';
import { containerPrograms } from './kinds/programs.ts';
import type { RemoteProcess, Runner, StartOptions } from './line.ts';
import { quoteAll } from './quote.ts';

/** Runs commands in the container by its program, which `machine` starts. */
export function containerRunner(machine: Runner, kind: ContainerKind, target: ContainerTarget): Runner {
  return {
    async start(command: string, { pty }: StartOptions): Promise<Result<RemoteProcess>> {
      if (pty) {
        const message = 'doas takes a password only from a terminal, and a container is entered without one';
        const hint = 'Allow doas in the container without a password (nopass), or become with su.';
        return failure(connectionProblem('become.tty-required', message, { hint }));
      }
      const words = containerPrograms[kind].words(target, command);
      return machine.start(`exec ${quoteAll(words)}`, { pty: false });
    },
  };
}
