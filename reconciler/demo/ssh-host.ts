/**
 * A small SSH host inside this process, for the demo and for tests: one account, one key, commands run in a home of its own.
 * Invariant: listens on 127.0.0.1 only and lets in one generated key; stopping ends every process group it started.
 * Never meant to be reached by anyone else.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import type { AuthContext, Connection, ServerChannel, Session, TcpipRequestInfo } from 'ssh2';
import ssh2 from 'ssh2';
import { forwardTo } from './ssh-forward.ts';

export interface SshHostOptions {
  /** A folder of its own: the account's `home`, its key, and what its agent keeps. */
  readonly folder: string;
  /** Put in front of PATH. */
  readonly path?: readonly string[] | undefined;
  /** Further variables of the account's environment. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
}

/** A running host and what one needs to log in to it. */
export interface SshHost {
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly home: string;
  /** The client's private key. */
  readonly keyFile: string;
  /** `type base64`, for pinned host keys. */
  readonly hostKey: string;
  /** Logins so far: who was contacted. */
  readonly logins: number;
  /** Bytes that programs on the host were sent so far. */
  readonly received: number;
  /** Ends connections and everything that runs. */
  stop(): Promise<void>;
}

const account = 'towline';

/** Starts a host on a free port. */
export async function startSshHost(options: SshHostOptions): Promise<SshHost> {
  const home = join(options.folder, 'home');
  const keyFile = join(options.folder, 'client-key');
  await mkdir(home, { recursive: true });
  await mkdir(join(options.folder, 'host'), { recursive: true });
  const hostKeys = generateKeys();
  const clientKeys = generateKeys();
  await writeFile(keyFile, clientKeys.private, { mode: 0o600 });
  const host = new EmbeddedHost(home, options, clientKeys.public);
  const port = await host.listen(hostKeys.private);
  const hostKey = hostKeys.public.split(' ').slice(0, 2).join(' ');
  return {
    address: '127.0.0.1',
    port,
    user: account,
    home,
    keyFile,
    hostKey,
    get logins() {
      return host.logins;
    },
    get received() {
      return host.received;
    },
    stop: () => host.stop(),
  };
}

/** The library now and then writes a key that it cannot read itself; such a pair is made anew. */
function generateKeys(): ReturnType<typeof ssh2.utils.generateKeyPairSync> {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519');
    if (!(ssh2.utils.parseKey(pair.private) instanceof Error)) return pair;
  }
}

class EmbeddedHost {
  logins = 0;
  received = 0;
  readonly #home: string;
  readonly #options: SshHostOptions;
  readonly #allowed: Buffer;
  readonly #connections = new Set<Connection>();
  readonly #children = new Set<ChildProcess>();
  #server: ssh2.Server | undefined;

  constructor(home: string, options: SshHostOptions, publicKey: string) {
    this.#home = home;
    this.#options = options;
    const parsed = ssh2.utils.parseKey(publicKey);
    if (parsed instanceof Error) throw parsed;
    this.#allowed = parsed.getPublicSSH();
  }

  async listen(hostKey: string): Promise<number> {
    const server = new ssh2.Server({ hostKeys: [hostKey] }, (connection) => this.#serve(connection));
    // The library's server is a net.Server; small writes must not wait for acknowledgements.
    server.on('connection', (socket: Socket) => socket.setNoDelay(true));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    return (server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const ended = [...this.#children].map((child) => once(child, 'close'));
    for (const child of this.#children) endGroup(child);
    for (const connection of this.#connections) connection.end();
    const server = this.#server;
    this.#server = undefined;
    if (server !== undefined) await new Promise<void>((resolve) => server.close(() => resolve()));
    await Promise.all(ended);
  }

  #serve(connection: Connection): void {
    this.#connections.add(connection);
    connection.on('error', () => {});
    connection.once('close', () => this.#connections.delete(connection));
    connection.on('authentication', (context) => this.#authenticate(context));
    connection.on('ready', () => {
      this.logins += 1;
    });
    connection.on('session', (accept) => this.#session(accept()));
    connection.on('tcpip', (accept, reject, info: TcpipRequestInfo) => forwardTo(info, accept, reject));
  }

  #authenticate(context: AuthContext): void {
    if (this.#isProven(context)) context.accept();
    else context.reject(['publickey']);
  }

  /** The one key, offered (no signature yet) or proven. */
  #isProven(context: AuthContext): boolean {
    if (context.method !== 'publickey' || context.username !== account) return false;
    const { data, algo } = context.key;
    if (data.length !== this.#allowed.length || !timingSafeEqual(data, this.#allowed)) return false;
    if (context.signature === undefined || context.blob === undefined) return true;
    const key = ssh2.utils.parseKey(`${algo} ${this.#allowed.toString('base64')}`);
    return !(key instanceof Error) && key.verify(context.blob, context.signature, context.hashAlgo) === true;
  }

  #session(session: Session): void {
    session.on('exec', (accept, _reject, info) => this.#exec(accept(), info.command));
    session.on('env', (_accept, reject) => reject?.());
    session.on('signal', (accept) => accept?.());
  }

  #exec(channel: ServerChannel, command: string): void {
    const child = spawn('/bin/sh', ['-c', command], {
      cwd: this.#home,
      detached: true,
      env: this.#environment(),
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#children.add(child);
    child.stdin.on('error', () => {});
    channel.on('error', () => {});
    channel.on('data', (bytes: Buffer) => {
      this.received += bytes.length;
    });
    channel.pipe(child.stdin);
    child.stdout.pipe(channel, { end: false });
    child.stderr.pipe(channel.stderr, { end: false });
    channel.once('close', () => endGroup(child));
    child.once('error', () => {
      this.#children.delete(child);
      channel.end();
    });
    child.once('close', (status, signal) => {
      this.#children.delete(child);
      if (signal === null) channel.exit(status ?? 1);
      else channel.exit(signal.replace(/^SIG/, ''));
      channel.end();
    });
  }

  #environment(): Record<string, string> {
    const path = [
      ...(this.#options.path ?? []),
      '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    ];
    // Locks and journals of several hosts on one machine must not be the same ones.
    const own = {
      TOWLINE_HOST_DIR: join(this.#options.folder, 'host'),
      HOME: this.#home,
      USER: account,
      LOGNAME: account,
      SHELL: '/bin/sh',
      LANG: 'C.UTF-8',
    };
    return { ...own, PATH: path.join(':'), ...this.#options.environment };
  }
}

/** Ends a child and what it started: first by closing its input, then the whole group. */
function endGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.stdin?.end();
  const { pid } = child;
  const timer = setTimeout(() => {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      child.kill('SIGKILL');
    }
  }, 500);
  child.once('close', () => clearTimeout(timer));
}
