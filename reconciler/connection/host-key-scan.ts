/**
 * Sees the keys a server has: one handshake for each type, ended before an account is named.
 * Invariant: nothing is sent but a handshake; every wait has a deadline; a key counts only if the server proved to hold it.
 * Never trusts, stores or judges a key.
 */

import type { Duplex } from 'node:stream';
import ssh2 from 'ssh2';
import { failure, type Problem, type Result, success } from '../../agent/protocol/problem.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import { connectionProblem } from '../base/problem-codes/connection.ts';
import { hostKeyAlgorithms } from './host-keys.ts';
import { keyType } from './known-hosts.ts';
import type { SshOptions } from './ssh.ts';
import type { SshConnection } from './ssh-connection.ts';
import { openTcp } from './tcp.ts';

/** All keys of the server at a spec's address, as its types in our order; through the parent's connection where one is given. */
export async function scanHostKeys(
  spec: ConnectionSpec,
  options: SshOptions,
  parent?: SshConnection,
): Promise<Result<readonly Buffer[]>> {
  const found: Buffer[] = [];
  let left: readonly string[] = hostKeyAlgorithms;
  for (const family of ['', 'ssh-ed25519', 'rsa-', 'ecdsa-', 'ecdsa-', 'ecdsa-']) {
    const asked = left.filter((algorithm) => algorithm.startsWith(family));
    if (asked.length === 0) continue;
    const key = await oneKey(spec, asked, { options, parent });
    if (key.ok) {
      found.push(key.value);
      left = withoutType(left, key.value);
    } else if (found.length === 0) return key;
    else left = left.filter((algorithm) => !asked.includes(algorithm));
  }
  return success(found);
}

function withoutType(algorithms: readonly string[], key: Buffer): readonly string[] {
  const type = keyType(key.toString('base64')) ?? '';
  return algorithms.filter((algorithm) => !algorithm.startsWith(type === 'ssh-rsa' ? 'rsa-' : type));
}

interface Way {
  readonly options: SshOptions;
  readonly parent: SshConnection | undefined;
}

/** The key the server proves to have when only these algorithms are offered. */
async function oneKey(
  spec: ConnectionSpec,
  algorithms: readonly string[],
  { options, parent }: Way,
): Promise<Result<Buffer>> {
  const timeout = spec.ssh?.connectTimeout;
  const patience = timeout === undefined ? options.deadlines.tcp : timeout * 1000;
  const socket =
    parent === undefined ? await openTcp(spec, patience, options.signal) : await parent.forward(spec);
  if (!socket.ok) return socket;
  const stream: Duplex = socket.value;
  const { promise, resolve } = Promise.withResolvers<Result<Buffer>>();
  const client = new ssh2.Client();
  let key: Buffer | undefined;
  const fail = (reason: string): void => resolve(failure(handshakeProblem(spec, reason)));
  const late = (): void => fail(`no handshake within ${options.deadlines.handshake / 1000} s`);
  const timer = setTimeout(late, options.deadlines.handshake);
  const cancel = (): void => fail('it was cancelled');
  options.signal?.addEventListener('abort', cancel);
  // The handshake ends with the server's signature by this key; before the account is named, we are gone.
  client.once('handshake', () =>
    resolve(key === undefined ? failure(handshakeProblem(spec, 'none')) : success(key)),
  );
  client.on('error', (error) => fail(error.message));
  client.once('close', () => fail('the server closed the connection'));
  client.connect({
    username: 'towline',
    sock: stream,
    readyTimeout: 0,
    algorithms: { serverHostKey: [...algorithms] as never },
    authHandler: () => {},
    hostVerifier: (shown: Buffer, verify: (trusted: boolean) => void) => {
      key = Buffer.from(shown);
      verify(true);
    },
  });
  const result = await promise;
  clearTimeout(timer);
  options.signal?.removeEventListener('abort', cancel);
  client.removeAllListeners();
  client.on('error', () => {});
  client.destroy();
  stream.destroy();
  return result;
}

function handshakeProblem({ host, address, port }: ConnectionSpec, reason: string): Problem {
  const message = `${address}:${port} shows no key: ${reason}`;
  return connectionProblem('ssh.handshake-failed', message, { where: { host } });
}
