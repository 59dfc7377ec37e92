/**
 * Servers that send without end while nobody reads: an honest one stops at the window, another one is dropped.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2, { type ServerChannel } from 'ssh2';
import { afterEach, describe, expect, it } from 'vitest';
import { mostHeldBytes } from '../../../reconciler/connection/receive-window.ts';
import { connectSsh } from '../../../reconciler/connection/ssh.ts';
import type { SshConnection } from '../../../reconciler/connection/ssh-connection.ts';
import { localSpec, testPoolOptions } from '../../helpers/lines.ts';

/** No divisor of the window: the library drops what comes while exactly nothing is left of it. */
const piece = Buffer.alloc(32_749, 'x');
const mebibyte = 1024 * 1024;
const folder = mkdtempSync(join(tmpdir(), 'window-'));
const endings: (() => void)[] = [];

afterEach(() => {
  for (const end of endings.splice(0)) end();
  rmSync(folder, { recursive: true, force: true });
});

interface Flood {
  readonly connection: SshConnection;
  /** Bytes the server has put on the line. */
  sent(): number;
}

/** A server that lets anybody in and floods whoever runs a command; `ignoresWindow` sends whatever it was granted. */
async function flooding(ignoresWindow: boolean, streams: readonly ('stdout' | 'stderr')[]): Promise<Flood> {
  let sent = 0;
  const flood = (channel: ServerChannel): void => {
    // The library keeps the window it may still use here; nothing else of it is touched.
    const state = channel as unknown as { outgoing: { window: number } };
    let turn = 0;
    const next = (): void => {
      if (channel.destroyed || channel.writableEnded) return;
      if (ignoresWindow) state.outgoing.window = 2 ** 30;
      const stream = streams[turn % streams.length] === 'stderr' ? channel.stderr : channel;
      turn += 1;
      stream.write(piece, () => {
        sent += piece.length;
        setImmediate(next);
      });
    };
    next();
  };
  const server = new ssh2.Server({
    hostKeys: [ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 }).private],
  });
  server.on('connection', (client) => {
    client.on('error', () => {});
    client.on('authentication', (asked) => asked.accept());
    client.on('session', (accept) => {
      accept().on('exec', (acceptExec, _reject, { command }) => {
        const channel = acceptExec();
        channel.on('error', () => {});
        if (command === 'flood') flood(channel);
        else channel.end('here\n');
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const options = testPoolOptions(join(folder, 'known_hosts')).ssh;
  const spec = {
    ...localSpec,
    kind: 'ssh',
    address: '127.0.0.1',
    port,
    user: 'me',
    hostKeys: 'ignore',
  } as const;
  const connected = await connectSsh(spec, options);
  if (!connected.ok) throw new Error(connected.problem.message);
  endings.push(() => {
    connected.value.end('the test is over');
    server.close();
  });
  return { connection: connected.value, sent: () => sent };
}

async function resting(value: () => number): Promise<number> {
  for (let last = -1; ; ) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    if (value() === last) return last;
    last = value();
  }
}

describe('a server that sends without end while nobody reads', () => {
  it('stops at the window when it is honest, and the connection goes on', async () => {
    const { connection, sent } = await flooding(false, ['stdout']);
    const flood = await connection.start('flood', { pty: false });
    expect(flood.ok).toBe(true);
    expect(await resting(sent)).toBeLessThanOrEqual(4 * mebibyte);
    const other = await connection.start('other', { pty: false });
    if (!other.ok) throw new Error(other.problem.message);
    const [first] = (await other.value.stdout.take(1).toArray()) as Buffer[];
    expect(String(first)).toBe('here\n');
    expect(connection.isOpen).toBe(true);
  });

  it('goes on as soon as it is read', async () => {
    const { connection, sent } = await flooding(false, ['stdout']);
    const flood = await connection.start('flood', { pty: false });
    if (!flood.ok) throw new Error(flood.problem.message);
    await resting(sent);
    let read = 0;
    for await (const bytes of flood.value.stdout) {
      read += (bytes as Buffer).length;
      if (read > 32 * mebibyte) break;
    }
    expect(sent()).toBeGreaterThan(31 * mebibyte);
  });

  it('is dropped when it does not keep to the window', async () => {
    const { connection, sent } = await flooding(true, ['stdout']);
    const flood = await connection.start('flood', { pty: false });
    if (!flood.ok) throw new Error(flood.problem.message);
    expect(await connection.ended).toContain('more than the window');
    expect(await flood.value.exited).toMatchObject({ lost: expect.stringContaining('window') });
    expect(flood.value.stdout.readableLength).toBeLessThanOrEqual(mostHeldBytes);
    expect(sent()).toBeLessThan(64 * mebibyte);
  });

  it('is dropped when it fills one stream under cover of the other', async () => {
    const { connection } = await flooding(false, ['stdout', 'stderr']);
    const flood = await connection.start('flood', { pty: false });
    if (!flood.ok) throw new Error(flood.problem.message);
    flood.value.stderr.resume();
    expect(await connection.ended).toContain('more than the window');
    expect(flood.value.stdout.readableLength).toBeLessThanOrEqual(mostHeldBytes);
  });
});
