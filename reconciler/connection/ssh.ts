/**
 * Opens one ssh2 connection to one account on one host: socket, handshake with a verified key, authentication.
 * Invariant: every step has its deadline; the host's key is verified under its own name before anything is proven to it.
 * Never reports a failure without what was tried.
 */

import { userInfo } from 'node:os';
import type { Duplex } from 'node:stream';
import type { Client, ClientErrorExtensions, ConnectConfig } from 'ssh2';
import ssh2 from 'ssh2';
import { failure, type Problem, type Result, success } from '../../agent/protocol/problem.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import { connectionProblem } from '../base/problem-codes/connection.ts';
import { type HostKeyOptions, type HostKeyVerifier, hostKeyVerifier } from './host-keys.ts';
import { SshConnection, type SshDeadlines } from './ssh-connection.ts';
import { AuthLedger, type CredentialSources, credentialsFor } from './ssh-credentials.ts';
import { openTcp } from './tcp.ts';

export interface SshOptions {
  readonly deadlines: SshDeadlines;
  readonly hostKeys: HostKeyOptions;
  readonly credentials: CredentialSources;
  readonly signal?: AbortSignal | undefined;
}

const ciphers = [
  'aes256-gcm@openssh.com',
  'aes128-gcm@openssh.com',
  'chacha20-poly1305@openssh.com',
  'aes256-ctr',
  'aes192-ctr',
  'aes128-ctr',
] as const;

/** Opens a connection, directly or through the parent's. */
export async function connectSsh(
  spec: ConnectionSpec,
  options: SshOptions,
  parent?: SshConnection,
): Promise<Result<SshConnection>> {
  const user = spec.user ?? userInfo().username;
  const credentials = await credentialsFor({ ...spec, user }, options.credentials);
  if (!credentials.ok) return credentials;
  const verifier = await hostKeyVerifier(spec, options.hostKeys);
  if (!verifier.ok) return verifier;
  const socket = await openWay(spec, options, parent);
  if (!socket.ok) return socket;
  const ledger = new AuthLedger(user, credentials.value);
  const attempt = { spec, user, options, ledger, verifier: verifier.value, socket: socket.value };
  const client = await handshake(attempt);
  return client.ok ? success(new SshConnection(spec, client.value, options.deadlines)) : client;
}

async function openWay(
  spec: ConnectionSpec,
  options: SshOptions,
  parent?: SshConnection,
): Promise<Result<Duplex>> {
  if (parent === undefined) return openTcp(spec, options.deadlines.tcp, options.signal);
  return parent.forward(spec);
}

interface Attempt {
  readonly spec: ConnectionSpec;
  readonly user: string;
  readonly options: SshOptions;
  readonly ledger: AuthLedger;
  readonly verifier: HostKeyVerifier;
  readonly socket: Duplex;
}

function handshake(attempt: Attempt): Promise<Result<Client>> {
  const { spec, options, socket } = attempt;
  const { promise, resolve } = Promise.withResolvers<Result<Client>>();
  const client = new ssh2.Client();
  let keyProblem: Problem | undefined;
  let phase: 'handshake' | 'auth' = 'handshake';
  let timer: NodeJS.Timeout | undefined;
  const settle = (result: Result<Client>): void => {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', cancel);
    if (!result.ok) discard(client, socket);
    resolve(result);
  };
  const fail = (problem: Problem): void => settle(failure(keyProblem ?? problem));
  const cancel = (): void => fail(connectionProblem('line.cancelled', 'the attempt was cancelled'));
  const late = (): void => fail(lateProblem(attempt, phase));
  const lost = (reason: string, byServer = false): void =>
    fail(
      phase === 'auth' && byServer ? endedProblem(attempt, reason) : brokenProblem(attempt, phase, reason),
    );
  timer = setTimeout(late, options.deadlines.handshake);
  client.once('handshake', () => {
    phase = 'auth';
    clearTimeout(timer);
    timer = setTimeout(late, options.deadlines.auth);
  });
  client.once('ready', () => settle(success(client)));
  client.on('error', (error: Error & ClientErrorExtensions & { readonly code?: unknown }) => {
    // A dead ssh-agent is one failed try; the library goes on with the next method by itself.
    if (error.level === 'agent') return;
    if (error.level === 'client-authentication') fail(refusedProblem(attempt));
    // A number is the server's own word (RFC 4253 §11.1); a socket's error has a name.
    else lost(error.message, typeof error.code === 'number');
  });
  client.once('close', () => lost('the server closed the connection'));
  options.signal?.addEventListener('abort', cancel);
  const note = (problem: Problem | undefined): void => {
    keyProblem = problem;
  };
  try {
    client.connect(clientConfig(attempt, note));
  } catch (error) {
    fail(connectionProblem('ssh.handshake-failed', (error as Error).message, { where: { host: spec.host } }));
  }
  return promise;
}

function clientConfig(attempt: Attempt, note: (problem: Problem | undefined) => void): ConnectConfig {
  const { user, socket, verifier, options, ledger } = attempt;
  return {
    username: user,
    sock: socket as NonNullable<ConnectConfig['sock']>,
    readyTimeout: 0,
    keepaliveInterval: options.deadlines.keepalive,
    keepaliveCountMax: 3,
    algorithms: {
      cipher: [...ciphers],
      serverHostKey: [...verifier.algorithms] as never,
    },
    hostVerifier: verifyOnce(verifier, note),
    authHandler: (allowed, _partial, next) => next((ledger.next(allowed) || false) as never),
  };
}

/**
 * Verifies the first key with all care; in later key exchanges of the connection the same key is known at once
 * (waiting there would let other packets pass the exchange), and another one is refused.
 */
function verifyOnce(
  verifier: HostKeyVerifier,
  note: (problem: Problem | undefined) => void,
): (key: Buffer, verify: (trusted: boolean) => void) => void {
  let trusted: Buffer | undefined;
  return (key, verify) => {
    if (trusted !== undefined) {
      verify(trusted.equals(key));
      return;
    }
    verifier.verify(key).then(
      (problem) => {
        note(problem);
        if (problem === undefined) trusted = Buffer.from(key);
        verify(problem === undefined);
      },
      () => verify(false),
    );
  };
}

function discard(client: Client, socket: Duplex): void {
  client.removeAllListeners();
  client.on('error', () => {});
  client.destroy();
  socket.destroy();
}

function lateProblem(attempt: Attempt, phase: 'handshake' | 'auth'): Problem {
  const { spec, options } = attempt;
  const where = { host: spec.host };
  if (phase === 'auth') {
    return connectionProblem(
      'ssh.auth-timeout',
      `no decision within ${options.deadlines.auth / 1000} s; ${attempt.ledger.story}`,
      { where },
    );
  }
  const seconds = options.deadlines.handshake / 1000;
  return connectionProblem(
    'ssh.handshake-failed',
    `${spec.address}:${spec.port} took the connection but did not finish the handshake within ${seconds} s`,
    { where },
  );
}

/** The way broke: nothing was decided. */
function brokenProblem(attempt: Attempt, phase: 'handshake' | 'auth', reason: string): Problem {
  const { spec, ledger } = attempt;
  const story = phase === 'auth' ? ` during authentication (${ledger.story})` : '';
  return connectionProblem('ssh.handshake-failed', `${spec.address}:${spec.port}: ${reason}${story}`, {
    where: { host: spec.host },
  });
}

/** Servers end the connection, with a word, after too many tries: that is a refusal too. */
function endedProblem({ spec, user, ledger }: Attempt, reason: string): Problem {
  return connectionProblem('ssh.auth-refused', `${user}@${spec.address}: ${reason}; ${ledger.story}`, {
    where: { host: spec.host },
  });
}

function refusedProblem(attempt: Attempt): Problem {
  const { spec, user, ledger } = attempt;
  return connectionProblem('ssh.auth-refused', `${user}@${spec.address} was refused: ${ledger.story}`, {
    where: { host: spec.host },
  });
}
