import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectSsh } from '../../../reconciler/connection/ssh.ts';
import type { SshConnection } from '../../../reconciler/connection/ssh-connection.ts';
import { type SshHost, startSshHost } from '../../../reconciler/demo/ssh-host.ts';
import { hostSpec, testPoolOptions } from '../../helpers/lines.ts';

let folder = '';
let host: SshHost;
const options = testPoolOptions('/dev/null').ssh;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ssh-host-'));
  host = await startSshHost({ folder, environment: { COLOUR: 'blue' } });
});
afterEach(async () => {
  await host.stop();
  rmSync(folder, { recursive: true });
});

async function connect(): Promise<SshConnection> {
  const opened = await connectSsh(hostSpec(host), options);
  if (!opened.ok) throw new Error(opened.problem.message);
  return opened.value;
}

async function run(connection: SshConnection, command: string, input = '') {
  const started = await connection.start(command, { pty: false });
  if (!started.ok) throw new Error(started.problem.message);
  const { stdin, stdout, stderr, exited } = started.value;
  const text = { out: '', err: '' };
  stdout.on('data', (bytes: Buffer) => {
    text.out += bytes.toString();
  });
  stderr.on('data', (bytes: Buffer) => {
    text.err += bytes.toString();
  });
  stdin.end(input);
  return { ...(await exited), ...text };
}

describe('the embedded ssh host', () => {
  it('runs commands in a home and an environment of its own', async () => {
    const connection = await connect();
    const seen = await run(
      connection,
      'pwd; echo $HOME $USER $COLOUR $SSH_AUTH_SOCK; echo problem >&2; cat',
      'typed',
    );
    expect(seen).toMatchObject({
      out: `${host.home}\n${host.home} towline blue\ntyped`,
      err: 'problem\n',
      status: 0,
    });
    expect(await run(connection, 'exit 7')).toMatchObject({ status: 7 });
    expect(await run(connection, 'kill -KILL $$')).toMatchObject({ signal: expect.stringContaining('KILL') });
    expect(host.logins).toBe(1);
  });

  it('lets in nobody else', async () => {
    expect(await connectSsh(hostSpec(host, { user: 'root' }), options)).toMatchObject({ ok: false });
    const other = mkdtempSync(join(folder, 'other-'));
    const stranger = await startSshHost({ folder: other });
    const refused = await connectSsh(hostSpec(host, { keyFile: stranger.keyFile }), options);
    expect(refused).toMatchObject({ ok: false, problem: { code: 'ssh.auth-refused' } });
    await stranger.stop();
    expect(host.logins).toBe(0);
    expect(ssh2.utils.parseKey(host.hostKey)).not.toBeInstanceOf(Error);
  });

  it('ends what still runs when it stops', async () => {
    const connection = await connect();
    const started = await connection.start('echo $$; trap "" HUP; sleep 300 & wait; sleep 300', {
      pty: false,
    });
    if (!started.ok) throw new Error(started.problem.message);
    const pid = await new Promise<number>((resolve) =>
      started.value.stdout.once('data', (bytes) => resolve(Number(bytes))),
    );
    await host.stop();
    expect(isAlive(pid)).toBe(false);
    host = await startSshHost({ folder });
  });

  it('counts what programs on it were sent', async () => {
    const connection = await connect();
    expect(host.received).toBe(0);
    await run(connection, 'cat', 'typed');
    expect(host.received).toBe(5);
  });

  it('forwards only to this machine', async () => {
    const connection = await connect();
    const target = hostSpec(host);
    expect((await connection.forward(target)).ok).toBe(true);
    expect((await connection.forward({ ...target, port: 1 })).ok).toBe(false);
    expect((await connection.forward({ ...target, address: '192.0.2.1' })).ok).toBe(false);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
