import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createConnection, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Result } from '../../../agent/protocol/problem.ts';
import { Secret } from '../../../agent/protocol/secret.ts';
import type { ConnectionSpec } from '../../../inventory/connection-spec.ts';
import { ownCredentials } from '../../../reconciler/connection/own-credentials.ts';
import { connectSsh, type SshOptions } from '../../../reconciler/connection/ssh.ts';
import type { SshConnection } from '../../../reconciler/connection/ssh-connection.ts';
import { type SshHost, startSshHost } from '../../../reconciler/demo/ssh-host.ts';
import { hostSpec, testPoolOptions } from '../../helpers/lines.ts';
import { hasSshd, type Sshd, startSshd } from '../../helpers/sshd.ts';

const folder = mkdtempSync(join(tmpdir(), 'ssh-'));
const knownHosts = join(folder, 'known_hosts');
const open: SshConnection[] = [];
const servers: (Server | ssh2.Server)[] = [];

afterEach(() => {
  for (const connection of open.splice(0)) connection.end('the test is over');
  for (const server of servers.splice(0)) server.close();
  rmSync(knownHosts, { force: true });
});
afterAll(() => rmSync(folder, { recursive: true }));

function options(
  deadlines: Partial<SshOptions['deadlines']> = {},
  more: Partial<SshOptions> = {},
): SshOptions {
  const base = testPoolOptions(knownHosts).ssh;
  return { ...base, ...more, deadlines: { ...base.deadlines, ...deadlines } };
}

/** A process that has ended meanwhile needs no signal. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    expect(error).toMatchObject({ code: 'ESRCH' });
  }
}

async function connect(
  spec: ConnectionSpec,
  ssh = options(),
  parent?: SshConnection,
): Promise<Result<SshConnection>> {
  const connection = await connectSsh(spec, ssh, parent);
  if (connection.ok) open.push(connection.value);
  return connection;
}

const loose: ConnectionSpec = {
  kind: 'ssh',
  host: 'web1',
  address: '127.0.0.1',
  port: 22,
  user: 'me',
  hostKeys: 'ignore',
  pinnedKeys: [],
};

async function listen(server: Server | ssh2.Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** What a command prints, and how it ended. */
async function run(connection: SshConnection, command: string): Promise<string> {
  const started = await connection.start(command, { pty: false });
  if (!started.ok) return started.problem.code;
  let text = '';
  started.value.stdout.on('data', (bytes: Buffer) => {
    text += bytes.toString();
  });
  started.value.stderr.resume();
  const exit = await started.value.exited;
  return `${text.trim()} ${exit.status ?? exit.signal ?? exit.lost}`;
}

describe('hosts that cannot be reached', () => {
  it('tells a refused connection and an unknown name apart', async () => {
    const port = await listen(createServer());
    servers.pop()?.close();
    const refused = await connect({ ...loose, port });
    expect(refused).toMatchObject({
      ok: false,
      problem: { code: 'ssh.unreachable', where: { host: 'web1' } },
    });
    expect(!refused.ok && refused.problem.message).toContain('connection refused');
    const unknown = await connect({ ...loose, address: 'no-such-host.invalid' });
    expect(!unknown.ok && unknown.problem.message).toMatch(/not known to DNS|could not be looked up/);
  });

  it('gives up on an address that does not answer', async () => {
    const script =
      "const s=require('net').createServer();s.listen({port:0,host:'127.0.0.1',backlog:1},()=>console.log(s.address().port))";
    const full = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
    const port = await new Promise<number>((resolve) =>
      full.stdout.once('data', (text) => resolve(Number(text))),
    );
    full.kill('SIGSTOP');
    const queue = [1, 2, 3, 4].map(() => createConnection({ port, host: '127.0.0.1' }).on('error', () => {}));
    const silent = await connect({ ...loose, port }, options({ tcp: 200, handshake: 200 }));
    const later = await connect({ ...loose, port }, options({ tcp: 200, handshake: 200 }));
    for (const socket of queue) socket.destroy();
    full.kill('SIGKILL');
    expect(silent.ok).toBe(false);
    expect(!later.ok && later.problem.message).toContain('no answer within 0.2 s');
  });

  it('gives up on something that takes the connection and says nothing, or something else', async () => {
    const mute = await connect({ ...loose, port: await listen(createServer()) }, options({ handshake: 100 }));
    expect(!mute.ok && mute.problem.message).toContain('did not finish the handshake');
    const web = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    expect(await connect({ ...loose, port: await listen(web) })).toMatchObject({
      ok: false,
      problem: { code: 'ssh.handshake-failed' },
    });
  });

  it('stops when it is cancelled', async () => {
    const port = await listen(createServer());
    const later = await connect({ ...loose, port }, options({}, { signal: AbortSignal.timeout(50) }));
    expect(later).toMatchObject({ ok: false, problem: { code: 'line.cancelled' } });
    const before = await connect({ ...loose, port }, options({}, { signal: AbortSignal.abort() }));
    expect(before).toMatchObject({ ok: false, problem: { code: 'line.cancelled' } });
  });
});

describe('authentication', () => {
  /** A server that decides by itself. */
  async function server(decide: (context: ssh2.AuthContext) => void): Promise<ConnectionSpec> {
    const { private: hostKey } = ssh2.utils.generateKeyPairSync('ed25519');
    const port = await listen(
      new ssh2.Server({ hostKeys: [hostKey] }, (client) => {
        client.on('authentication', decide).on('error', () => {});
      }),
    );
    return { ...loose, port };
  }

  it('logs in with a password, asked plainly or by keyboard-interactive', async () => {
    const password = new Secret('open sesame');
    const plain = await server((context) => {
      if (context.method === 'password' && context.password === 'open sesame') context.accept();
      else context.reject(['password']);
    });
    expect((await connect({ ...plain, password })).ok).toBe(true);
    const asking = await server((context) => {
      if (context.method !== 'keyboard-interactive') return context.reject(['keyboard-interactive']);
      return context.prompt([{ prompt: 'Password: ', echo: false }], (answers) => {
        if (answers[0] === 'open sesame') context.accept();
        else context.reject();
      });
    });
    expect((await connect({ ...asking, password })).ok).toBe(true);
  });

  it('says what was tried and what the server allows, without the password', async () => {
    const spec = await server((context) => context.reject(['publickey', 'password']));
    const refused = await connect({ ...spec, password: new Secret('open sesame') });
    expect(refused).toMatchObject({ ok: false, problem: { code: 'ssh.auth-refused' } });
    const message = refused.ok ? '' : refused.problem.message;
    expect(message).toContain(
      'me@127.0.0.1 was refused: tried password; the server allows publickey, password',
    );
    expect(message).not.toContain('sesame');
    const nothing = await connect(spec);
    expect(!nothing.ok && nothing.problem.message).toContain('tried no credentials');
  });

  it('gives up on a server that never decides, and on one that hangs up', async () => {
    const late = await connect(await server(() => {}), options({ auth: 100 }));
    expect(late).toMatchObject({ ok: false, problem: { code: 'ssh.auth-timeout' } });
    const { private: hostKey } = ssh2.utils.generateKeyPairSync('ed25519');
    const rude = new ssh2.Server({ hostKeys: [hostKey] }, (client) => {
      client.on('authentication', () => client.end()).on('error', () => {});
    });
    expect(await connect({ ...loose, port: await listen(rude) })).toMatchObject({
      ok: false,
      problem: { code: 'ssh.handshake-failed' },
    });
  });

  it('refuses a key file that cannot be used before connecting anywhere', async () => {
    const text = join(folder, 'no-key');
    writeFileSync(text, 'this is no key');
    const locked = join(folder, 'locked');
    rmSync(locked, { force: true });
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'passphrase', '-f', locked]);
    for (const keyFile of [text, `${locked}.pub`, join(folder, 'missing'), '~/no/such/key']) {
      const refused = await connect({ ...loose, keyFile });
      expect(refused).toMatchObject({ ok: false, problem: { code: 'ssh.key-unreadable' } });
    }
  });

  it('looks for credentials where OpenSSH does', () => {
    expect(ownCredentials({ SSH_AUTH_SOCK: '/run/agent' }).authSock).toBe('/run/agent');
    expect(ownCredentials({}).authSock).toBeUndefined();
    expect(ownCredentials({}).defaultKeys.map((path) => path.split('/').at(-1))).toEqual([
      'id_ed25519',
      'id_ecdsa',
      'id_rsa',
    ]);
  });
});

describe.skipIf(!hasSshd)('a real OpenSSH server', () => {
  let sshd: Sshd;
  let bastion: SshHost;
  let spec: ConnectionSpec;

  beforeAll(async () => {
    sshd = await startSshd(join(folder, 'sshd'), ['MaxSessions 2']);
    bastion = await startSshHost({ folder: join(folder, 'bastion') });
    spec = { ...loose, port: sshd.port, user: sshd.user, keyFile: sshd.keyFile, hostKeys: 'strict' };
  });
  afterAll(async () => {
    await sshd.stop();
    await bastion.stop();
  });

  it('runs commands, with output, exit statuses and signals', async () => {
    const connection = await connect({ ...spec, hostKeys: 'accept-new' });
    if (!connection.ok) throw new Error(connection.problem.message);
    expect(await run(connection.value, 'echo hello; exit 3')).toBe('hello 3');
    expect(await run(connection.value, 'exec sh -c "kill -TERM $$"')).toContain('TERM');
  });

  it('is verified by known_hosts: unknown, added, known, changed', async () => {
    expect(await connect(spec)).toMatchObject({ ok: false, problem: { code: 'ssh.host-key-unknown' } });
    expect((await connect({ ...spec, hostKeys: 'accept-new' })).ok).toBe(true);
    expect(readFileSync(knownHosts, 'utf8')).toBe(`[127.0.0.1]:${sshd.port} ${sshd.hostKey}\n`);
    expect((await connect(spec)).ok).toBe(true);
    expect((await connect({ ...spec, hostKeys: 'pinned', pinnedKeys: [sshd.hostKey] })).ok).toBe(true);
    writeFileSync(knownHosts, `[127.0.0.1]:${sshd.port} ${bastion.hostKey}\n`);
    expect(await connect(spec)).toMatchObject({
      ok: false,
      problem: { code: 'ssh.host-key-changed', where: { file: knownHosts, line: 1 } },
    });
    rmSync(knownHosts);
    writeFileSync(join(folder, 'unreadable'), '');
    const broken = options({}, { hostKeys: { files: [folder], onWarning: () => {} } });
    expect(await connect(spec, broken)).toMatchObject({
      ok: false,
      problem: { code: 'ssh.known-hosts-unreadable' },
    });
  });

  it('is reached through a bastion, each under its own name', async () => {
    const parent = await connect(hostSpec(bastion));
    if (!parent.ok) throw new Error(parent.problem.message);
    const behind = { ...spec, hostKeys: 'pinned', pinnedKeys: [sshd.hostKey] } as const;
    const child = await connect(behind, options(), parent.value);
    expect(child.ok && (await run(child.value, 'echo far'))).toBe('far 0');
    const wrong = await connect({ ...behind, pinnedKeys: [bastion.hostKey] }, options(), parent.value);
    expect(wrong).toMatchObject({ ok: false, problem: { code: 'ssh.host-key-not-pinned' } });
    const nowhere = await connect({ ...behind, port: 1 }, options(), parent.value);
    expect(nowhere).toMatchObject({ ok: false, problem: { code: 'ssh.unreachable' } });
    expect(!nowhere.ok && nowhere.problem.message).toContain('from web1');
  });

  it('names the limit when it opens no more channels', async () => {
    const connection = await connect({ ...spec, hostKeys: 'ignore' });
    if (!connection.ok) throw new Error(connection.problem.message);
    const idle = [
      await connection.value.start('cat', { pty: false }),
      await connection.value.start('cat', { pty: false }),
    ];
    expect(idle.every((process) => process.ok)).toBe(true);
    const third = await connection.value.start('cat', { pty: false });
    expect(third).toMatchObject({ ok: false, problem: { code: 'ssh.channel-refused' } });
    expect(!third.ok && third.problem.hint).toContain('MaxSessions');
  });

  it('ends everything with the connection when the server goes away', async () => {
    const connection = await connect({ ...spec, hostKeys: 'ignore' });
    if (!connection.ok) throw new Error(connection.problem.message);
    const started = await connection.value.start('sleep 60', { pty: false });
    for (const pid of sshd.children()) process.kill(pid, 'SIGKILL');
    expect(started.ok && (await started.value.exited).lost).toBeDefined();
    await connection.value.ended;
    expect(connection.value.isOpen).toBe(false);
    expect(await connection.value.start('true', { pty: false })).toMatchObject({
      ok: false,
      problem: { code: 'ssh.channel-refused' },
    });
  });

  it('gives a stopped server only the channel’s deadline', async () => {
    const connection = await connect({ ...spec, hostKeys: 'ignore' }, options({ channel: 200 }));
    if (!connection.ok) throw new Error(connection.problem.message);
    const stopped = sshd.children();
    for (const pid of stopped) process.kill(pid, 'SIGSTOP');
    try {
      const channel = await connection.value.start('true', { pty: false });
      expect(!channel.ok && channel.problem.message).toContain('within 0.2 s');
      expect(await connection.value.ended).toBe('a channel did not open in time');
    } finally {
      for (const pid of stopped) process.kill(pid, 'SIGCONT');
    }
  });

  it('tells how far its server is, again and again, until it ends', async () => {
    const connection = await connect({ ...spec, hostKeys: 'ignore' });
    if (!connection.ok) throw new Error(connection.problem.message);
    const { value } = connection;
    expect(value.setUpMilliseconds).toBeGreaterThanOrEqual(0);
    const trips = await Promise.all([value.roundTrip(), value.roundTrip(), run(value, 'echo beside')]);
    expect(trips).toMatchObject([{ ok: true }, { ok: true }, 'beside 0']);
    for (const trip of trips.slice(0, 2))
      expect(typeof trip !== 'string' && trip.ok && trip.value).toBeGreaterThanOrEqual(0);
    value.end('enough');
    expect(await value.roundTrip()).toMatchObject({
      ok: false,
      problem: { code: 'line.lost', message: 'enough' },
    });
  });

  it('tells how a command ended whose whole answer came in one piece', async () => {
    const pieceEvery = 0;
    const gathering = createServer((near) => {
      const far = createConnection(sshd.port, '127.0.0.1');
      let held: Buffer[] = [];
      let timer: NodeJS.Timeout | undefined;
      const pass = (): void => {
        timer = undefined;
        near.write(Buffer.concat(held.splice(0)));
      };
      far.on('data', (bytes) => {
        held.push(bytes);
        timer ??= setTimeout(pass, pieceEvery);
      });
      near.on('data', (bytes) => far.write(bytes));
      for (const socket of [near, far]) socket.on('error', () => {});
      far.on('close', () => near.destroy());
      near.on('close', () => {
        clearTimeout(timer);
        held = [];
        far.destroy();
      });
    });
    const connection = await connect({ ...spec, port: await listen(gathering), hostKeys: 'ignore' });
    if (!connection.ok) throw new Error(connection.problem.message);
    for (let time = 0; time < 5; time += 1)
      expect(await run(connection.value, 'echo brief; exit 7')).toBe('brief 7');
    expect(connection.value.sessions).toBe(0);
  });

  it('notices by keepalive that a stopped server is gone', async () => {
    const connection = await connect({ ...spec, hostKeys: 'ignore' }, options({ keepalive: 100 }));
    if (!connection.ok) throw new Error(connection.problem.message);
    // Processes of earlier connections may be about to end.
    const stopped = sshd.children();
    for (const pid of stopped) signal(pid, 'SIGSTOP');
    expect(await connection.value.ended).toContain('Keepalive');
    for (const pid of stopped) signal(pid, 'SIGCONT');
  });

  it('lets in a key that only the ssh-agent can use, and goes on when the ssh-agent is dead', async () => {
    const socket = join(folder, 'agent.sock');
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
    for (let tries = 0; tries < 200 && !existsSync(socket); tries += 1)
      await new Promise((r) => setTimeout(r, 10));
    const copy = join(folder, 'copy');
    writeFileSync(copy, readFileSync(sshd.keyFile));
    chmodSync(copy, 0o600);
    execFileSync('ssh-add', ['-q', copy], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
    const { keyFile, ...noKey } = { ...spec, hostKeys: 'ignore' } as const;
    const withAgent = options({}, { credentials: { authSock: socket, defaultKeys: [] } });
    expect((await connect(noKey, withAgent)).ok).toBe(true);
    agent.kill();
    const dead = options(
      {},
      { credentials: { authSock: join(folder, 'nothing'), defaultKeys: [keyFile ?? ''] } },
    );
    expect((await connect(noKey, dead)).ok).toBe(true);
    const refused = await connect(
      noKey,
      options({}, { credentials: { authSock: join(folder, 'nothing'), defaultKeys: [] } }),
    );
    expect(!refused.ok && refused.problem.message).toMatch(
      /tried no credentials; ssh-agent .* cannot be used: .*ENOENT/,
    );
  });
});
