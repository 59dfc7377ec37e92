/**
 * A Runner on a host that another host reaches: the OpenSSH client there, started by whoever runs commands there.
 * Invariant: no password and no path of ours goes there; the relay's account uses its own keys and configuration.
 * Never asks for a terminal: an agent has none to give.
 */

import { failure, type Problem, type Result, success } from '../../agent/protocol/problem.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import { connectionProblem } from '../base/problem-codes/connection.ts';
import type { RemoteProcess, Runner, StartOptions } from './line.ts';
import { noTerminal } from './local.ts';
import { opensshProblem } from './openssh-problem.ts';
import { clientWords, destination } from './openssh-words.ts';
import { quoteAll } from './quote.ts';
import type { RunnerLease } from './routes.ts';
import type { SshDeadlines } from './ssh-connection.ts';

export interface RelayedOptions {
  readonly deadlines: Pick<SshDeadlines, 'tcp' | 'keepalive'>;
  /** Hears of host keys that are not checked. */
  readonly onWarning: (host: string, warning: string) => void;
}

/** Runs commands on the spec's host by the OpenSSH client of the machine that `machine` is a Runner of. */
export function relayedRunner(
  machine: Runner,
  spec: ConnectionSpec,
  options: RelayedOptions,
): Result<Pick<RunnerLease, 'runner' | 'explain'>> {
  const relay = spec.via?.host ?? 'its relay';
  if (spec.password !== undefined) {
    const message = `${spec.host} is reached by the agent of ${relay}, and a password is not sent there`;
    return failure(connectionProblem('ssh.password-not-relayed', message, { where: { host: spec.host } }));
  }
  if (spec.hostKeys === 'ignore') {
    options.onWarning(
      spec.host,
      `its key is not checked by ${relay} (towline_host_keys is ignore): anyone in between could read and change everything`,
    );
  }
  const words = clientWords(spec, {
    filesOf: () => ({}),
    connectTimeout: options.deadlines.tcp / 1000,
    keepalive: options.deadlines.keepalive / 1000,
    ownPaths: false,
  });
  const own = ['-o', 'ControlPath=none'];
  const runner: Runner = {
    async start(command: string, { pty }: StartOptions): Promise<Result<RemoteProcess>> {
      if (pty) return failure(noTerminal(`behind ${relay}`));
      return machine.start(`exec ${quoteAll([...words, ...own, ...destination(spec, command)])}`, {
        pty: false,
      });
    },
  };
  return success({ runner, explain: (problem) => explain(relay, spec, problem) });
}

/** What the client on the relay said, as a problem of the host behind it. */
function explain(relay: string, spec: ConnectionSpec, problem: Problem): Problem {
  if (problem.code !== 'line.start-failed' && !problem.code.startsWith('become.')) return problem;
  const said = (problem.lines ?? []).join('\n');
  if (/\bssh: (command )?not found/.test(said)) {
    const message = `there is no program ssh on ${relay}`;
    return connectionProblem('ssh.client-missing', message, { where: { host: spec.host } });
  }
  if (!problem.message.includes('exit status 255')) return problem;
  const found = opensshProblem(spec, said, problem.message);
  const details = {
    where: { host: spec.host },
    lines: problem.lines ?? [],
    ...(found.code === 'ssh.auth-refused' ? { hint: relayHint } : {}),
  };
  return { ...found, message: `from ${relay}: ${found.message}`, ...details };
}

const relayHint =
  'Give the relay’s account a key that the host lets in: behind a relay, its own keys and ~/.ssh/config count.';
