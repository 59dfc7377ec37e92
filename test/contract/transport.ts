/**
 * What every Runner promises, and what every SSH transport promises besides; run over each of them.
 * Invariant: real programs and a real OpenSSH server; no test knows which transport it runs over.
 * Never skips a promise for one of them without saying so by a flag.
 */

import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Problem, Result } from '../../agent/protocol/problem.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import type { Exit, RemoteProcess, Runner } from '../../reconciler/connection/line.ts';
import { quote } from '../../reconciler/connection/quote.ts';
import { hasSshd, type Sshd, startSshd } from '../helpers/sshd.ts';

/** Starts a command that must start. */
export async function started(runner: Runner, command: string): Promise<RemoteProcess> {
  const process = await runner.start(command, { pty: false });
  if (!process.ok) throw new Error(`${process.problem.code}: ${process.problem.message}`);
  return process.value;
}

interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly exit: Exit;
}

/** What a command says and how it ends. */
export async function ran(runner: Runner, command: string, stdin = ''): Promise<Ran> {
  const process = await started(runner, command);
  const text = { stdout: '', stderr: '' };
  process.stdout.on('data', (bytes: Buffer) => {
    text.stdout += bytes.toString();
  });
  process.stderr.on('data', (bytes: Buffer) => {
    text.stderr += bytes.toString();
  });
  process.stdin.end(stdin);
  const exit = await process.exited;
  return { ...text, exit };
}

/** The promises of a Runner whose commands run on this machine. */
export function runnerContract(open: () => Promise<Runner>): void {
  let runner: Runner;
  let folder = '';

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'runner-'));
    runner = await open();
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('tells how a program ended that did not read what it was sent', async () => {
    const { stdout, exit } = await ran(runner, 'exec <&-; echo deaf; exit 4', 'x'.repeat(1_000_000));
    expect(stdout).toBe('deaf\n');
    expect(exit).toMatchObject({ status: 4 });
  });

  it('keeps output and errors apart and tells the exit status', async () => {
    const { stdout, stderr, exit } = await ran(runner, 'echo out; echo err >&2; exit 3');
    expect([stdout, stderr]).toEqual(['out\n', 'err\n']);
    expect(exit).toMatchObject({ status: 3, signal: null });
    expect(exit.lost).toBeUndefined();
  });

  it('passes input and its end', async () => {
    const { stdout, exit } = await ran(runner, 'cat; echo end', 'input\n');
    expect([stdout, exit.status]).toEqual(['input\nend\n', 0]);
  });

  it('hands the command on as it is', async () => {
    const words = ['a b', "it's", '$HOME', '"', '\\', '!x', '%h', '*', '`id`', 'ü'];
    const { stdout } = await ran(runner, `printf '<%s>' ${words.map(quote).join(' ')}`);
    expect(stdout).toBe(words.map((word) => `<${word}>`).join(''));
  });

  it('does not call an end by a signal a success', async () => {
    const { exit } = await ran(runner, 'exec sh -c "kill -TERM $$"');
    expect(exit.status).not.toBe(0);
  });

  it('loses nothing of much output to a slow reader', async () => {
    const size = 24 * 1024 * 1024;
    const process = await started(runner, `head -c ${size} /dev/zero | tr '\\0' x`);
    process.stdin.end();
    const hash = createHash('sha256');
    let [bytes, chunks] = [0, 0];
    for await (const chunk of process.stdout as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.length;
      chunks += 1;
      if (chunks % 64 === 0) await pause(1);
    }
    expect(bytes).toBe(size);
    expect(hash.digest('hex')).toBe(createHash('sha256').update('x'.repeat(size)).digest('hex'));
    expect((await process.exited).status).toBe(0);
  });

  it('holds input back while the program does not read', async () => {
    const file = join(folder, 'read');
    const process = await started(runner, `until [ -e ${file} ]; do sleep 0.05; done`);
    const chunk = Buffer.alloc(1024 * 1024);
    let written = 0;
    while (process.stdin.write(chunk) && written < 256) written += 1;
    expect(written).toBeLessThan(256);
    process.kill();
    await process.exited;
    writeFileSync(file, '');
  });

  it('runs several commands at once', async () => {
    const all = await Promise.all([1, 2, 3, 4].map((n) => ran(runner, `read x; echo ${n}$x`, 'y\n')));
    expect(all.map(({ stdout }) => stdout)).toEqual(['1y\n', '2y\n', '3y\n', '4y\n']);
  });

  it('settles the end of a command that is killed, also where the host lets it run on', async () => {
    const process = await started(runner, 'exec sleep 2');
    process.kill();
    expect((await process.exited).status).not.toBe(0);
  });

  it('lets a released program come to its own end', async () => {
    const file = join(folder, 'ended');
    const process = await started(runner, `cat >/dev/null; echo ended > ${file}`);
    process.release();
    for (let look = 0; look < 500 && !existsSync(file); look += 1) await pause(10);
    expect(existsSync(file)).toBe(true);
  });
}

/** An open line of an SSH transport. */
export interface OpenLine {
  readonly runner: Runner;
  readonly ended: Promise<string>;
  end(): void;
}

export interface SshTransport {
  /** Trusts what this file lists. */
  connect(
    spec: ConnectionSpec,
    options: {
      readonly knownHosts: string;
      readonly warnings: string[];
      readonly signal?: AbortSignal;
      /** Milliseconds, for each step. */
      readonly deadline?: number;
    },
  ): Promise<Result<OpenLine>>;
}

/** The promises of an SSH transport, against a real OpenSSH server. */
export function sshContract(transport: SshTransport): void {
  const open: OpenLine[] = [];
  const warnings: string[] = [];
  let folder = '';
  let knownHosts = '';
  let sshd: Sshd;
  let spec: ConnectionSpec;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'transport-'));
    knownHosts = join(folder, 'known_hosts');
    sshd = await startSshd(join(folder, 'sshd'), ['MaxSessions 5']);
    spec = {
      kind: 'ssh',
      host: 'web1',
      address: '127.0.0.1',
      port: sshd.port,
      user: sshd.user,
      keyFile: sshd.keyFile,
      hostKeys: 'pinned',
      pinnedKeys: [sshd.hostKey],
    };
  });
  afterEach(() => {
    for (const line of open.splice(0)) line.end();
    rmSync(knownHosts, { force: true });
    warnings.length = 0;
  });
  afterAll(async () => {
    await sshd.stop();
    rmSync(folder, { recursive: true });
  });

  async function connect(
    more: Partial<ConnectionSpec> = {},
    options: { readonly signal?: AbortSignal; readonly deadline?: number } = {},
  ): Promise<Result<OpenLine>> {
    const line = await transport.connect({ ...spec, ...more }, { knownHosts, warnings, ...options });
    if (line.ok) open.push(line.value);
    return line;
  }

  async function problem(
    more: Partial<ConnectionSpec>,
    options: { readonly signal?: AbortSignal; readonly deadline?: number } = {},
  ): Promise<Problem> {
    const line = await connect(more, options);
    if (line.ok) throw new Error('it was let in');
    if (line.problem.code !== 'line.cancelled') expect(line.problem.where?.host).toBe('web1');
    return line.problem;
  }

  async function listening(server: Server): Promise<number> {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Kills what serves the open connections. */
  function cutOff(): void {
    for (const pid of sshd.children()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    }
  }

  function otherKey(): string {
    return readFileSync(join(folder, 'sshd', 'client.pub'), 'utf8')
      .trim()
      .split(' ')
      .slice(0, 2)
      .join(' ');
  }

  describe('a host key', () => {
    it('that is pinned is trusted, and another is not', async () => {
      expect((await connect()).ok).toBe(true);
      const refused = await problem({ pinnedKeys: [otherKey()] });
      expect(refused).toMatchObject({ code: 'ssh.host-key-not-pinned', disposition: 'stalled' });
      expect(refused.message).toContain('SHA256:');
    });

    it('that nobody lists is refused with its fingerprint', async () => {
      const refused = await problem({ hostKeys: 'strict' });
      expect(refused.code).toBe('ssh.host-key-unknown');
      expect(refused.message).toMatch(/ssh-ed25519 SHA256:/);
      expect(existsSync(knownHosts)).toBe(false);
    });

    it('is added once where new ones are accepted, said aloud, and known from then on', async () => {
      expect((await connect({ hostKeys: 'accept-new' })).ok).toBe(true);
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toMatch(/web1: its key .*SHA256:.* is new/);
      expect((await connect({ hostKeys: 'strict' })).ok).toBe(true);
    });

    it.each(['strict', 'accept-new'] as const)(
      'that changed is refused with its place (%s)',
      async (hostKeys) => {
        writeFileSync(knownHosts, `# one\n[127.0.0.1]:${sshd.port} ${otherKey()}\n`);
        expect(await problem({ hostKeys })).toMatchObject({
          code: 'ssh.host-key-changed',
          where: { file: knownHosts, line: 2 },
        });
      },
    );

    it.each(['strict', 'accept-new'] as const)('that was revoked is refused (%s)', async (hostKeys) => {
      const name = `[127.0.0.1]:${sshd.port}`;
      writeFileSync(knownHosts, `${name} ${sshd.hostKey}\n@revoked * ${sshd.hostKey}\n`);
      expect((await problem({ hostKeys })).code).toBe('ssh.host-key-revoked');
    });

    it('is ignored only loudly', async () => {
      writeFileSync(knownHosts, `[127.0.0.1]:${sshd.port} ${otherKey()}\n`);
      expect((await connect({ hostKeys: 'ignore' })).ok).toBe(true);
      expect(warnings).toEqual([expect.stringMatching(/web1: its key .* was not checked/)]);
    });
  });

  describe('a host', () => {
    it('that nothing listens on is unreachable', async () => {
      const refused = await problem({ port: 1 });
      expect(refused).toMatchObject({ code: 'ssh.unreachable', disposition: 'retry' });
      expect(refused.message).toMatch(/^127\.0\.0\.1:1: connection refused/);
    });

    it('whose name is not known is unreachable', async () => {
      expect((await problem({ address: 'no-such-host.invalid' })).code).toBe('ssh.unreachable');
    });

    it('that speaks something else, or nothing, does not finish a handshake', async () => {
      const web = createServer((socket) =>
        socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'),
      );
      expect((await problem({ port: await listening(web) })).code).toBe('ssh.handshake-failed');
      web.close();
      const mute = createServer((socket) => socket.on('error', () => {}));
      const port = await listening(mute);
      expect((await problem({ port }, { deadline: 500 })).code).toBe('ssh.handshake-failed');
      mute.close();
    });

    it('that refuses says what was tried and what it allows', async () => {
      const refused = await problem({ user: 'nobody' });
      expect(refused).toMatchObject({ code: 'ssh.auth-refused', disposition: 'stalled' });
      expect(refused.message).toMatch(
        /^nobody@127\.0\.0\.1 was refused: tried key .*client.*SHA256:.*; the server allows publickey/,
      );
    });

    it('is not asked with a key file that is not there', async () => {
      const refused = await problem({ keyFile: join(folder, 'no-key') });
      expect(refused).toMatchObject({ code: 'ssh.key-unreadable', where: { file: join(folder, 'no-key') } });
    });

    it('is left alone when the attempt is cancelled', async () => {
      const mute = createServer((socket) => socket.on('error', () => {}));
      const port = await listening(mute);
      expect((await problem({ port }, { signal: AbortSignal.timeout(100) })).code).toBe('line.cancelled');
      expect((await problem({ port }, { signal: AbortSignal.abort() })).code).toBe('line.cancelled');
      mute.close();
    });

    it('behind others is reached by its own key and under its own name', async () => {
      writeFileSync(knownHosts, `[127.0.0.1]:${sshd.port} ${sshd.hostKey}\n`);
      const outer: ConnectionSpec = { ...spec, host: 'outer' };
      const inner: ConnectionSpec = { ...spec, host: 'inner', hostKeys: 'strict', via: outer };
      const line = await connect({ via: inner });
      expect(line.ok && (await ran(line.value.runner, 'echo far')).stdout).toBe('far\n');
      const wrong = await problem({ via: outer, pinnedKeys: [otherKey()] });
      expect(wrong.code).toBe('ssh.host-key-not-pinned');
      const nowhere = await problem({ via: outer, port: 1 });
      expect(nowhere.code).toBe('ssh.unreachable');
      expect(nowhere.message).toMatch(/127\.0\.0\.1:1: cannot be reached from outer: .*/);
    });
  });

  describe('an open line', () => {
    it('ends everything, with a reason, when the server goes away', async () => {
      const line = await connect();
      if (!line.ok) throw new Error(line.problem.message);
      const process = await started(line.value.runner, 'exec sleep 600');
      process.stdout.resume();
      process.stderr.resume();
      cutOff();
      expect((await process.exited).lost).toMatch(/\w/);
      expect(await line.value.ended).toMatch(/\w/);
      const later = await line.value.runner.start('true', { pty: false });
      expect(later).toMatchObject({ ok: false, problem: { code: 'ssh.channel-refused' } });
    });

    it('says so when the server opens no more sessions, and works on', async () => {
      const line = await connect();
      if (!line.ok) throw new Error(line.problem.message);
      const { runner } = line.value;
      const idle: RemoteProcess[] = [];
      for (let n = 0; n < 5; n += 1) idle.push(await started(runner, 'exec cat'));
      const one = await runner.start('true', { pty: false });
      expect(one).toMatchObject({
        ok: false,
        problem: { code: 'ssh.channel-refused', disposition: 'retry' },
      });
      for (const process of idle) {
        process.stdout.resume();
        process.stdin.end();
      }
      await Promise.all(idle.map((process) => process.exited));
      expect((await ran(runner, 'echo again')).stdout).toBe('again\n');
    });

    it('ends the commands that run over it when it is ended from here', async () => {
      const line = await connect();
      if (!line.ok) throw new Error(line.problem.message);
      const process = await started(line.value.runner, 'exec sleep 600');
      process.stdout.resume();
      process.stderr.resume();
      line.value.end();
      expect((await process.exited).status).not.toBe(0);
      expect(await line.value.ended).toMatch(/\w/);
    });
  });

  describe.skipIf(!hasSshd)('commands over it', () => {
    runnerContract(async () => {
      const line = await transport.connect(spec, { knownHosts, warnings });
      if (!line.ok) throw new Error(line.problem.message);
      lines.push(line.value);
      return line.value.runner;
    });
    const lines: OpenLine[] = [];
    afterAll(() => {
      for (const line of lines) line.end();
    });
  });
}
