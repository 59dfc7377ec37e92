/**
 * Sweeps up after the SSH library's own ciphers: every packet leaves buffers outside of the heap, which the engine counts too late
 * to keep memory flat.
 * Invariant: one short collection of young objects per so many bytes sent, whoever sent them; nothing where the engine offers none.
 * Never touches what is still in use.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Bytes sent between two sweeps; a packet leaves about twice its size. */
const sweepAfter = 8 * 1024 * 1024;

type Collect = (options: { readonly type: 'minor' }) => void;

let sent = 0;
let collect: Collect | undefined | 'unknown' = 'unknown';

/** Counts bytes that were handed to a line. */
export function noteSent(bytes: number): void {
  sent += bytes;
  if (sent < sweepAfter) return;
  sent = 0;
  if (collect === 'unknown') collect = findCollect();
  collect?.({ type: 'minor' });
}

/** The engine's own collection, which it shows to a context that is made while the flag is set. */
function findCollect(): Collect | undefined {
  setFlagsFromString('--expose-gc');
  const found: unknown = runInNewContext('typeof gc === "function" ? gc : undefined');
  setFlagsFromString('--no-expose-gc');
  return found as Collect | undefined;
}
