/**
 * The sources of a pool's routes: both SSH transports, agents of open sessions, and clients that relays run.
 * Invariant: a parent's session is asked for before its child takes a place among those that connect at once.
 * Never decides which way is taken.
 */

import { type Result, success } from '../../agent/protocol/problem.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import type { TuningDefaults } from '../../inventory/defaults.ts';
import { agentRunner } from './agent-runner.ts';
import { Gate } from './gate.ts';
import { connectOpenssh } from './openssh.ts';
import { relayedRunner } from './relayed.ts';
import type { RouteSources } from './routes.ts';
import type { HostSession } from './session.ts';
import { SharedLines } from './shared-lines.ts';
import { connectionKey } from './spec-key.ts';
import type { SshOptions } from './ssh.ts';
import { SshConnections } from './ssh-connections.ts';

export interface RouteOptions {
  readonly ssh: SshOptions;
  /** Connections of one transport that may be starting at once. */
  readonly atOnce: number;
  readonly tuning: Pick<TuningDefaults, 'perBastion' | 'attempts'>;
  /** Read by the OpenSSH client instead of the account's own configuration. */
  readonly opensshConfig?: string | undefined;
  /** A session of the pool, kept until the release. */
  readonly session: (
    spec: ConnectionSpec,
  ) => Promise<Result<{ readonly session: HostSession; release(): void }>>;
}

/** What a pool reaches its hosts by. */
export function routeSources(options: RouteOptions): RouteSources {
  const { ssh } = options;
  const { onWarning } = ssh.hostKeys;
  const ssh2 = new SshConnections(ssh, new Gate(options.atOnce), connectionKey, {
    perBastion: options.tuning.perBastion,
    tries: options.tuning.attempts,
    random: Math.random,
  });
  const gate = new Gate(options.atOnce);
  const client = {
    deadlines: ssh.deadlines,
    signal: ssh.signal,
    onWarning,
    configFile: options.opensshConfig,
  };
  const openssh = new SharedLines(
    (spec: ConnectionSpec) => gate.pass(() => connectOpenssh(spec, client)),
    connectionKey,
  );
  return {
    ssh2: async (spec) => {
      const lease = await ssh2.acquire(spec);
      if (!lease.ok) return lease;
      const { connection: runner, line } = lease.value;
      return success({ runner, line, release: () => lease.value.release() });
    },
    openssh: async (spec) => {
      const lease = await openssh.acquire(spec);
      return lease.ok ? success({ ...lease.value, line: lease.value.runner }) : lease;
    },
    agent: async (spec) => {
      const lease = await options.session(spec);
      if (!lease.ok) return lease;
      return success({ runner: agentRunner(lease.value.session), release: () => lease.value.release() });
    },
    relayed: (machine, spec) => relayedRunner(machine, spec, { deadlines: ssh.deadlines, onWarning }),
  };
}
