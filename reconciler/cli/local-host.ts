/**
 * `--local`: which host of the inventory this machine is, and lines to it without SSH.
 * Invariant: only this one host is touched; an account that is ours already needs no sudo.
 * Never opens a socket.
 */

import { hostname } from 'node:os';
import { failure, type Result, success } from '../../agent/protocol/problem.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import { cliProblem } from '../base/problem-codes/cli.ts';
import type { SessionPool } from '../connection/session.ts';
import type { Invocation } from './command.ts';

export interface LocalHost {
  /** Name in the inventory. */
  readonly name: string;
  /** The pool seen through --local. */
  readonly through: (pool: SessionPool) => SessionPool;
}

/** What --local and --host ask for; undefined without --local. This machine is the host of its own name unless --host says. */
export function askedLocal({ options, surroundings }: Invocation): Result<LocalHost | undefined> {
  if (options.local) return success(localHost(options.host ?? hostname(), surroundings.user));
  if (options.host === undefined) return success(undefined);
  return failure(cliProblem('cli.bad-option', '--host belongs to --local; --limit-hosts narrows a run'));
}

/** This machine under a name of the inventory; `user` is who we are. */
function localHost(name: string, user: string): LocalHost {
  const localised = (spec: ConnectionSpec): ConnectionSpec => {
    const become = spec.become?.user === user ? undefined : spec.become;
    return { ...spec, kind: 'local', via: undefined, user: undefined, become };
  };
  return {
    name,
    through: (pool) => ({
      open: (spec, signal) => pool.open(localised(spec), signal),
      sessions: () => pool.sessions(),
      onLost: (listener) => pool.onLost(listener),
      close: (reason) => pool.close(reason),
    }),
  };
}
