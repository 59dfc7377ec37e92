/**
 * A channel whose socket is slow: what waits for the network stays with who sends.
 */

import { Duplex, Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { paceBySocket } from '../../../reconciler/connection/ssh2-internals.ts';

/** A socket that sends when told to, and a channel of the library's kind: it passes on at once whatever the window allows. */
function slowWay() {
  const sending: (() => void)[] = [];
  const socket = new Duplex({
    writableHighWaterMark: 64 * 1024,
    read: () => {},
    write: (_bytes, _encoding, done) => {
      sending.push(done);
    },
  });
  const channel = new Writable({
    highWaterMark: 2 * 1024 * 1024,
    write: (bytes, _encoding, done) => {
      socket.write(bytes);
      done();
    },
  });
  paceBySocket(channel, socket);
  const sendAll = async (): Promise<void> => {
    while (sending.length > 0) {
      sending.shift()?.();
      await new Promise(setImmediate);
    }
  };
  return { socket, channel, sendAll };
}

describe('a channel over a slow socket', () => {
  it('takes no more than one piece until the socket has sent it', async () => {
    const { socket, channel, sendAll } = slowWay();
    const taken: number[] = [];
    for (let index = 0; index < 5; index += 1)
      channel.write(Buffer.alloc(256 * 1024), () => taken.push(index));
    await new Promise(setImmediate);
    expect(taken).toEqual([]);
    expect(socket.writableLength).toBe(256 * 1024);
    await sendAll();
    expect(taken).toEqual([0, 1, 2, 3, 4]);
  });

  it('is not held up while the socket has room', async () => {
    const { channel } = slowWay();
    let isTaken = false;
    channel.write(Buffer.alloc(1000), () => {
      isTaken = true;
    });
    await new Promise(setImmediate);
    expect(isTaken).toBe(true);
  });

  it('asks the socket for no more listeners than there are channels', () => {
    const { socket, channel } = slowWay();
    const usual = new Duplex().getMaxListeners();
    expect(socket.getMaxListeners()).toBe(usual + 1);
    channel.destroy();
    channel.emit('close');
    expect(socket.getMaxListeners()).toBe(usual);
  });
});
