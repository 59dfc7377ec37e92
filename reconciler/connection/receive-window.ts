/**
 * Bounds what a channel may hold for us while we do not read: the library grants a window, but takes data beyond it
 * (mscdex/ssh2#1505), and grants more as long as one of stdout and stderr is read.
 * Invariant: an honest server stops at the window; one that does not is reported before more than the bound is held.
 * Never slows a reader that reads.
 */

import type { ClientChannel } from 'ssh2';

/** Twice what the largest window of the library, granted anew while a stream is not quite full, can bring for both streams. */
export const mostHeldBytes = 8 * 1024 * 1024;

/** Watches both streams of a channel; `flooded` is called once, and from then on nothing is taken. */
export function guardReceiveWindow(channel: ClientChannel, flooded: () => void): void {
  const streams = channel.stderr === undefined ? [channel] : [channel, channel.stderr];
  let isFlooded = false;
  for (const stream of streams) {
    const push = stream.push.bind(stream);
    stream.push = (bytes: Buffer | null, encoding?: BufferEncoding): boolean => {
      const held = streams.reduce((sum, each) => sum + each.readableLength, bytes?.length ?? 0);
      if (bytes === null || (held <= mostHeldBytes && !isFlooded)) return push(bytes, encoding);
      if (!isFlooded) {
        isFlooded = true;
        flooded();
      }
      return false;
    };
  }
}
