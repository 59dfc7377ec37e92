/**
 * How logins begin: a bounded number at once, at a server that drops them slower and again, and over further connections
 * where one is full.
 */

import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { failure, type Result, success } from '../../../agent/protocol/problem.ts';
import type { ConnectionSpec } from '../../../inventory/connection-spec.ts';
import { connectionProblem } from '../../../reconciler/base/problem-codes/connection.ts';
import { paceAfter, pauseAfter, widestPace } from '../../../reconciler/connection/connect-pace.ts';
import { Gate } from '../../../reconciler/connection/gate.ts';
import { LoginGates } from '../../../reconciler/connection/login-gates.ts';
import { connectionKey } from '../../../reconciler/connection/spec-key.ts';
import { type Lease, SshConnections } from '../../../reconciler/connection/ssh-connections.ts';
import { localSpec, testPoolOptions } from '../../helpers/lines.ts';
import { hasSshd, type Sshd, startSshd } from '../../helpers/sshd.ts';

describe('the pace of logins', () => {
  it('is never below one nor above what an sshd takes, and recovers', () => {
    const ends = fc.array(fc.constantFrom('opened' as const, 'dropped' as const, 'failed' as const));
    fc.assert(
      fc.property(ends, (all) => {
        let pace = widestPace;
        for (const end of all) {
          const next = paceAfter(pace, end);
          expect(next).toBeGreaterThanOrEqual(1);
          expect(next).toBeLessThanOrEqual(widestPace);
          if (end === 'dropped') expect(next).toBeLessThanOrEqual(Math.max(1, pace / 2));
          if (end === 'opened') expect(next).toBeGreaterThanOrEqual(pace);
          pace = next;
        }
        for (let time = 0; time < widestPace; time += 1) pace = paceAfter(pace, 'opened');
        expect(pace).toBe(widestPace);
      }),
    );
  });

  it('pauses longer with every try, with chance, and never without end', () => {
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), random, (tries, chance) => {
        const pause = pauseAfter(tries, chance);
        expect(pause).toBeGreaterThanOrEqual(pauseAfter(1, 0));
        expect(pause).toBeLessThanOrEqual(12_000);
        expect(pauseAfter(tries + 1, chance)).toBeGreaterThanOrEqual(pause);
      }),
    );
  });
});

describe('the gates of logins', () => {
  const dropped = failure(connectionProblem('ssh.dropped', 'hung up'));

  /** Logins that are under way until they are ended, and the most there were at once. */
  function counted(gates: LoginGates) {
    let busy = 0;
    let most = 0;
    const login = async (end: Result<string>): Promise<Result<string>> => {
      busy += 1;
      most = Math.max(most, busy);
      await new Promise((resolve) => setTimeout(resolve, 1));
      busy -= 1;
      return end;
    };
    const pass = (server: string, bastion: string | undefined, end: Result<string> = success('in')) =>
      gates.pass({ server, bastion }, () => login(end));
    return { pass, most: () => most, forget: () => (most = 0) };
  }

  it('let so many in at one server, through one bastion, and in all', async () => {
    const names = Array.from({ length: 60 }, (_, index) => `host${index}`);
    const oneServer = counted(new LoginGates(new Gate(32), 16));
    await Promise.all(names.map(() => oneServer.pass('server', undefined)));
    expect(oneServer.most()).toBe(widestPace);
    const oneBastion = counted(new LoginGates(new Gate(32), 16));
    await Promise.all(names.map((name) => oneBastion.pass(name, 'bastion')));
    expect(oneBastion.most()).toBe(16);
    const all = counted(new LoginGates(new Gate(32), 16));
    await Promise.all(names.map((name, index) => all.pass(name, `bastion${index % 10}`)));
    expect(all.most()).toBe(32);
  });

  it('let fewer in at a server that drops them, and again more', async () => {
    const { pass, most, forget } = counted(new LoginGates(new Gate(32), 16));
    for (let time = 0; time < 4; time += 1) await pass('server', undefined, dropped);
    await Promise.all(Array.from({ length: 5 }, () => pass('server', undefined, dropped)));
    expect(most()).toBe(1);
    for (let time = 0; time < 8; time += 1) await pass('server', undefined);
    forget();
    await Promise.all(Array.from({ length: 20 }, () => pass('server', undefined)));
    expect(most()).toBe(widestPace);
  });
});

describe.skipIf(!hasSshd)(`a real OpenSSH server with low limits${hasSshd ? '' : ' (no sshd here)'}`, () => {
  let folder = '';
  let sshd: Sshd;
  let connections: SshConnections;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'limits-'));
    const options = testPoolOptions(join(folder, 'known_hosts')).ssh;
    const limits = { perBastion: 16, tries: 8, random: Math.random };
    connections = new SshConnections(options, new Gate(32), connectionKey, limits);
  });
  afterEach(async () => {
    await sshd.stop();
    rmSync(folder, { recursive: true });
  });

  function specOf(host: string): ConnectionSpec {
    const { port, user, keyFile, hostKey } = sshd;
    const way = { kind: 'ssh', host, address: '127.0.0.1', port, user, keyFile } as const;
    return { ...localSpec, ...way, hostKeys: 'pinned', pinnedKeys: [hostKey] };
  }

  const must = <T>(result: Result<T>): T => {
    if (!result.ok) throw new Error(result.problem.message);
    return result.value;
  };

  /** A login that begins and goes no further; what looked whether the server listens may still have its place. */
  async function takePlace(port: number): Promise<Socket> {
    for (;;) {
      const socket = connect(port, '127.0.0.1');
      if (String(await once(socket, 'data')).startsWith('SSH-')) return socket;
      socket.destroy();
    }
  }

  it('takes twenty connections although it drops the third login under way', async () => {
    sshd = await startSshd(folder, ['MaxStartups 2:100:2', 'LogLevel VERBOSE']);
    const names = Array.from({ length: 20 }, (_, index) => `host${index}`);
    const leases = (await Promise.all(names.map((name) => connections.acquire(specOf(name))))).map(must);
    expect(readFileSync(join(folder, 'log'), 'utf8')).toContain('MaxStartups');
    for (const lease of leases) lease.release();
  });

  it('says what happens when it drops every login', async () => {
    sshd = await startSshd(folder, ['MaxStartups 1:100:1']);
    const options = testPoolOptions(join(folder, 'known_hosts')).ssh;
    const limits = { perBastion: 16, tries: 2, random: () => 0 };
    const few = new SshConnections(options, new Gate(32), connectionKey, limits);
    const holding = await takePlace(sshd.port);
    expect(await few.acquire(specOf('host'))).toMatchObject({
      ok: false,
      problem: { code: 'ssh.dropped', disposition: 'retry' },
    });
    holding.destroy();
  });

  it('runs more commands at once than it lets into one connection', async () => {
    sshd = await startSshd(folder, ['MaxSessions 2']);
    const leases: Lease[] = [];
    const lines: string[] = [];
    for (let time = 0; time < 5; time += 1) {
      const lease = must(await connections.acquire(specOf('host')));
      leases.push(lease);
      const started = must(await lease.connection.start('echo here; cat', { pty: false }));
      const [first] = (await once(started.stdout, 'data')) as [Buffer];
      lines.push(String(first).trim());
    }
    expect(lines).toEqual(['here', 'here', 'here', 'here', 'here']);
    expect(sshd.children()).toHaveLength(3);
    for (const lease of leases) lease.release();
  });

  it('is believed when it lets no command into a connection at all', async () => {
    sshd = await startSshd(folder, ['MaxSessions 0']);
    const lease = must(await connections.acquire(specOf('host')));
    expect(await lease.connection.start('echo here', { pty: false })).toMatchObject({
      ok: false,
      problem: { code: 'ssh.channel-refused' },
    });
    expect(sshd.children()).toHaveLength(1);
    lease.release();
  });
});
