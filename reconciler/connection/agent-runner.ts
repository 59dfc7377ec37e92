/**
 * Runs command lines on the host of an open session: what leads on from there starts through its agent.
 * Invariant: the command runs as the agent's account, in a process group of its own, and ends with the session.
 * Never asks for a terminal: an agent has none to give.
 */

import { failure, type Result } from '../../agent/protocol/problem.ts';
import type { RemoteProcess, Runner, StartOptions } from './line.ts';
import { noTerminal } from './local.ts';
import type { HostSession } from './session.ts';

/** The runner of a host by its session. */
export function agentRunner(session: Pick<HostSession, 'host' | 'start'>): Runner {
  return {
    async start(command: string, options: StartOptions): Promise<Result<RemoteProcess>> {
      if (options.pty) return failure(noTerminal(`behind the agent of ${session.host}`));
      return session.start(['sh', '-c', command]);
    },
  };
}
