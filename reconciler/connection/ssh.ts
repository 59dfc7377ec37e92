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
import { stopwatch } from '../base/clock.ts';
import { connectionProblem } from '../base/problem-codes/connection.ts';
import { AuthLedger } from './auth-ledger.ts';
import { type HostKeyOptions, type HostKeyVerifier, hostKeyVerifier } from './host-keys.ts';
import type { CredentialSources } from './own-credentials.ts';
import { Patience } from './patience.ts';
import { SshConnection, type SshDeadlines } from './ssh-connection.ts';
import { credentialsFor, type MethodContext } from './ssh-credentials.ts';
import { encryptOurselves, onTryEnded } from './ssh2-internals.ts';
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
  const patience = new Patience();
  let passed = stopwatch();
  const once = async (): Promise<Result<Client>> => {
    passed = stopwatch();
    const socket = await openWay(spec, options, parent);
    if (!socket.ok) return socket;
    const ledger = new AuthLedger(user, credentials.value);
    return handshake({
      spec,
      user,
      options,
      ledger,
      patience,
      verifier: verifier.value,
      socket: socket.value,
    });
  };
  let client = await once();
  if (!client.ok && patience.waits !== undefined && options.signal?.aborted !== true) {
    // The server did not wait as long as the person took to answer; with the answer it goes quickly.
    await patience.waits;
    client = await once();
  }
  if (!client.ok) return client;
  const parts = { deadlines: deadlinesOf(spec, options), setUpMilliseconds: passed() };
  return success(new SshConnection(spec, client.value, parts));
}

function deadlinesOf({ ssh }: ConnectionSpec, { deadlines }: SshOptions): SshDeadlines {
  const { connectTimeout, keepalive } = ssh ?? {};
  const tcp = connectTimeout === undefined ? deadlines.tcp : connectTimeout * 1000;
  return {
    ...deadlines,
    tcp,
    keepalive: keepalive === undefined ? deadlines.keepalive : keepalive.interval * 1000,
  };
}

async function openWay(
  spec: ConnectionSpec,
  options: SshOptions,
  parent?: SshConnection,
): Promise<Result<Duplex>> {
  if (parent === undefined) return openTcp(spec, deadlinesOf(spec, options).tcp, options.signal);
  return parent.forward(spec);
}

/** What sshd says, if anything, when it has too many logins under way or too many failed ones from here. */
const refusals = /^(Exceeded MaxStartups|Not allowed at this time)/;

/** How far a login is: the server has said nothing yet, keys are exchanged, we prove who we are. */
type Phase = 'silence' | 'handshake' | 'auth';

interface Attempt {
  readonly spec: ConnectionSpec;
  readonly user: string;
  readonly options: SshOptions;
  readonly ledger: AuthLedger;
  readonly patience: Patience;
  readonly verifier: HostKeyVerifier;
  readonly socket: Duplex;
}

function handshake(attempt: Attempt): Promise<Result<Client>> {
  const { spec, options, socket, patience } = attempt;
  const { promise, resolve } = Promise.withResolvers<Result<Client>>();
  const client = new ssh2.Client();
  let keyProblem: Problem | undefined;
  let phase: Phase = 'silence';
  let timer: NodeJS.Timeout | undefined;
  const settle = (result: Result<Client>): void => {
    clearTimeout(timer);
    patience.onChange = undefined;
    options.signal?.removeEventListener('abort', cancel);
    if (!result.ok) discard(client, socket);
    resolve(result);
  };
  const fail = (problem: Problem): void => settle(failure(keyProblem ?? problem));
  const cancel = (): void => fail(connectionProblem('line.cancelled', 'the attempt was cancelled'));
  const late = (): void => fail(lateProblem(attempt, phase));
  const lost = (reason: string, byServer = false): void =>
    fail(
      phase === 'auth' && byServer ? refusedProblem(attempt, reason) : brokenProblem(attempt, phase, reason),
    );
  const startTimer = (): void => {
    clearTimeout(timer);
    const deadline = options.deadlines[phase === 'auth' ? 'auth' : 'handshake'];
    if (patience.waits === undefined) timer = setTimeout(late, deadline);
  };
  patience.onChange = startTimer;
  startTimer();
  socket.once('data', (bytes: Buffer) => {
    if (phase === 'silence' && !refusals.test(bytes.toString('latin1', 0, 64))) phase = 'handshake';
  });
  client.once('handshake', () => {
    phase = 'auth';
    startTimer();
  });
  client.once('ready', () => settle(success(client)));
  client.on('error', (error: Error & ClientErrorExtensions & { readonly code?: unknown }) => {
    // A key that could not be used is one failed try; the library goes on with the next method by itself.
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
  encryptOurselves(client, socket);
  try {
    client.connect(clientConfig(attempt, client, note));
    onTryEnded(client, (allowed, isPartial) => attempt.ledger.heard(allowed, isPartial));
  } catch (error) {
    fail(connectionProblem('ssh.handshake-failed', (error as Error).message, { where: { host: spec.host } }));
  }
  return promise;
}

function clientConfig(
  attempt: Attempt,
  client: Client,
  note: (problem: Problem | undefined) => void,
): ConnectConfig {
  const { user, socket, verifier, options, ledger, patience, spec } = attempt;
  const context: MethodContext = {
    user,
    client,
    wait: (work) => patience.wait(work),
    onLocked: (label, reason) => ledger.onLocked(label, reason),
    onUnanswered: (prompt, reason) => ledger.onUnanswered(prompt, reason),
  };
  return {
    username: user,
    sock: socket as NonNullable<ConnectConfig['sock']>,
    readyTimeout: 0,
    keepaliveInterval: deadlinesOf(spec, options).keepalive,
    keepaliveCountMax: spec.ssh?.keepalive?.count ?? 3,
    algorithms: {
      cipher: [...ciphers],
      serverHostKey: [...verifier.algorithms] as never,
    },
    hostVerifier: verifyOnce(verifier, note),
    authHandler: (_allowed, _partial, next) => next((ledger.next(context) || false) as never),
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

function lateProblem(attempt: Attempt, phase: Phase): Problem {
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
function brokenProblem(attempt: Attempt, phase: Phase, reason: string): Problem {
  const { spec, ledger } = attempt;
  const where = { host: spec.host };
  if (phase === 'silence') {
    const message = `${spec.address}:${spec.port} hung up before it said anything: ${reason}`;
    return connectionProblem('ssh.dropped', message, { where });
  }
  const story = phase === 'auth' ? ` during authentication (${ledger.story})` : '';
  return connectionProblem('ssh.handshake-failed', `${spec.address}:${spec.port}: ${reason}${story}`, {
    where,
  });
}

/** Servers end the connection, with a word, after too many tries: that is a refusal too. */
function refusedProblem({ spec, user, ledger }: Attempt, reason?: string): Problem {
  const { locked, unanswered } = ledger.obstacles;
  const code =
    locked.length > 0
      ? 'ssh.key-locked'
      : unanswered.length > 0
        ? 'ssh.prompt-unanswered'
        : 'ssh.auth-refused';
  const where = { host: spec.host };
  const who = `${user}@${spec.address}`;
  const what = reason === undefined ? `${who} was refused` : `${who}: ${reason}`;
  return connectionProblem(code, `${what}${reason === undefined ? ': ' : '; '}${ledger.story}`, { where });
}
