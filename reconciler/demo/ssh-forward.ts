/**
 * Forwards a stream of the embedded host to a port of this machine, so that one demo host can be another's bastion.
 * Invariant: only loopback addresses are reached; both ends close together.
 * Never resolves names.
 */

import { connect } from 'node:net';
import type { ServerChannel } from 'ssh2';

/** Connects a direct-tcpip request with its destination, or refuses it. */
export function forwardTo(
  destination: { readonly destIP: string; readonly destPort: number },
  accept: () => ServerChannel,
  reject: () => void,
): void {
  if (destination.destIP !== '127.0.0.1' && destination.destIP !== 'localhost') {
    reject();
    return;
  }
  const socket = connect({ host: '127.0.0.1', port: destination.destPort, noDelay: true });
  socket.once('error', reject);
  socket.once('connect', () => {
    socket.off('error', reject);
    const channel = accept();
    channel.on('error', () => socket.destroy());
    socket.on('error', () => channel.destroy());
    channel.pipe(socket);
    socket.pipe(channel);
    channel.once('close', () => socket.destroy());
  });
}
