/**
 * Names for connections and contexts: equal exactly when a line can be shared.
 * Invariant: everything that decides who we are and whom we trust is in the name; no password is readable in it.
 * Pure but for one random key of the process.
 */

import { createHmac, randomBytes } from 'node:crypto';
import { openSecret, type Secret } from '../../agent/protocol/secret.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';

const processKey = randomBytes(32);

/** The name of the connection: host, login, credentials, trust and the way there. */
export function connectionKey(spec: ConnectionSpec): string {
  const { kind, host, address, port, user, keyFile, hostKeys, pinnedKeys, transport, ssh, unsaid, via } =
    spec;
  // Behind an agent the account of that agent counts too, and whether the way goes through an agent at all.
  const way = via === undefined ? null : [contextKey(via), via.relay ?? false];
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
    transport ?? null,
    ssh ?? null,
    [...(unsaid ?? [])].sort(),
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
