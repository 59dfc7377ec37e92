/**
 * `--local`: which host of the inventory this machine is, and lines to it without SSH.
 * Invariant: only this one host is touched; an account that is ours already needs no sudo.
 * Never opens a socket.
 */

import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import type { SessionPool } from '../connection/session.ts';

export interface LocalHost {
  /** Name in the inventory. */
  readonly name: string;
  /** The pool seen through --local. */
  readonly through: (pool: SessionPool) => SessionPool;
}

/** This machine under a name of the inventory; `user` is who we are. */
export function localHost(name: string, user: string): LocalHost {
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
