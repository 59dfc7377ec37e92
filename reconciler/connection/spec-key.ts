/**
 * Names for connections and contexts: equal exactly when a line can be shared.
 * Invariant: everything that decides who we are and whom we trust is in the name; no password is readable in it.
 * Pure but for one random key of the process.
 */

import { createHmac, randomBytes } from 'node:crypto';
import { openSecret, type Secret } from '../../agent/protocol/secret.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';

const processKey = randomBytes(32);

/** The name of the ssh connection: host, login, credentials, trust and the way there. */
export function connectionKey(spec: ConnectionSpec): string {
  const { kind, host, address, port, user, keyFile, hostKeys, pinnedKeys, ssh, via } = spec;
  const way = via === undefined ? null : connectionKey(via);
  return JSON.stringify([
    kind,
    host,
    address,
    port,
    user,
    keyFile,
    seal(spec.password),
    hostKeys,
    pinnedKeys,
    ssh ?? null,
    way,
  ]);
}

/** The name of the context: its connection, the account it becomes and its runtime. */
export function contextKey(spec: ConnectionSpec): string {
  const { become, runtime } = spec;
  const account = become === undefined ? null : [become.method, become.user, seal(become.password)];
  return JSON.stringify([connectionKey(spec), account, runtime]);
}

function seal(secret: Secret | undefined): string | null {
  return secret === undefined
    ? null
    : createHmac('sha256', processKey).update(openSecret(secret)).digest('base64');
}
