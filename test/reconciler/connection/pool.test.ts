import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Problem, ProblemError } from '../../../agent/protocol/problem.ts';
import { Secret } from '../../../agent/protocol/secret.ts';
import { PROTOCOL_VERSION } from '../../../agent/protocol/version.ts';
import { connectionProblem } from '../../../reconciler/base/problem-codes/connection.ts';
import { agentBundle } from '../../../reconciler/connection/agent-bundle.ts';
import { sessionDeadlines } from '../../../reconciler/connection/agent-session.ts';
import { Gate } from '../../../reconciler/connection/gate.ts';
import { ConnectionPool, type PoolOptions, poolOptions } from '../../../reconciler/connection/pool.ts';
import { connectionKey, contextKey } from '../../../reconciler/connection/spec-key.ts';
import { type SshHost, startSshHost } from '../../../reconciler/demo/ssh-host.ts';
import {
  convergeCall,
  filePlan,
  hostSpec,
  localSpec,
  MemoryContents,
  testPoolOptions,
} from '../../helpers/lines.ts';
import { hasSshd, startSshd } from '../../helpers/sshd.ts';

let folder = '';
let host: SshHost;
let pool: ConnectionPool;
let lost: [string, Problem][] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pool-'));
  mkdirSync(join(folder, 'bin'));
  writeFileSync(
    join(folder, 'bin', 'sudo'),
    '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done; shift; exec "$@"\n',
  );
  chmodSync(join(folder, 'bin', 'sudo'), 0o755);
  host = await startSshHost({ folder, path: [join(folder, 'bin')] });
  pool = poolWith();
});
afterEach(async () => {
  await pool.close('the test is over');
  await host.stop();
  rmSync(folder, { recursive: true });
});

function poolWith(more: Partial<PoolOptions> = {}): ConnectionPool {
  lost = [];
  const made = new ConnectionPool({ ...testPoolOptions(join(folder, 'known_hosts')), ...more });
  made.onLost((name, problem) => lost.push([name, problem]));
  return made;
}

describe('the pool of sessions', () => {
  it('makes one connection however many ask, and keeps it', async () => {
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => pool.open(hostSpec(host))));
    const sessions = new Set(answers.map((answer) => answer.ok && answer.value));
    expect(sessions.size).toBe(1);
    expect(await pool.open(hostSpec(host))).toEqual(answers[0]);
    expect(host.logins).toBe(1);
    expect(pool.sessions()).toHaveLength(1);
  });

  it('runs contexts of several accounts over one connection, and ends it with the last', async () => {
    const own = await pool.open(hostSpec(host));
    const root = await pool.open(hostSpec(host, { become: { method: 'sudo', user: 'root' } }));
    expect(own.ok && root.ok && own.value !== root.value).toBe(true);
    expect(host.logins).toBe(1);
    if (!own.ok || !root.ok) return;
    await own.value.close('done');
    expect((await root.value.ping()).ok).toBe(true);
    await root.value.close('done');
    const again = await pool.open(hostSpec(host));
    expect(again.ok && host.logins).toBe(2);
    expect(lost).toEqual([]);
  });

  it('goes through bastions of any depth, sharing them', async () => {
    const via = hostSpec(host, { host: 'bastion' });
    const second = hostSpec(host, { host: 'inner', via });
    const [one, two] = await Promise.all([
      pool.open(hostSpec(host, { host: 'web1', via: second })),
      pool.open(hostSpec(host, { host: 'web2', via: second })),
    ]);
    expect([one, two].map((answer) => answer?.ok)).toEqual([true, true]);
    expect(host.logins).toBe(4);
    const broken = await pool.open(hostSpec(host, { host: 'web3', via: { ...via, port: 1 } }));
    expect(broken).toMatchObject({
      ok: false,
      problem: { code: 'ssh.unreachable', where: { host: 'web3' } },
    });
    expect(await pool.open(hostSpec(host, { host: 'web4', port: 1, via }))).toMatchObject({ ok: false });
  });

  it('forgets a failed attempt', async () => {
    const wrong = hostSpec(host, { user: 'nobody' });
    expect(await pool.open(wrong)).toMatchObject({ ok: false, problem: { code: 'ssh.auth-refused' } });
    expect(await pool.open(hostSpec(host, { runtime: '/nowhere' }))).toMatchObject({
      ok: false,
      problem: { code: 'runtime.missing' },
    });
    expect((await pool.open(hostSpec(host))).ok).toBe(true);
  });

  it('tells who listens when a session ends by itself, and opens anew', async () => {
    const opened = await pool.open(hostSpec(host));
    if (!opened.ok) throw new Error(opened.problem.message);
    process.kill(opened.value.hello.pid, 'SIGKILL');
    await opened.value.ended;
    expect(lost).toMatchObject([['web1', { code: 'line.lost' }]]);
    expect(pool.sessions()).toEqual([]);
    expect((await pool.open(hostSpec(host))).ok).toBe(true);
  });

  it('lets one waiter leave without disturbing the others', async () => {
    const abort = new AbortController();
    const [leaving, staying] = [pool.open(hostSpec(host), abort.signal), pool.open(hostSpec(host))];
    abort.abort();
    expect(await leaving).toMatchObject({ ok: false, problem: { code: 'line.cancelled' } });
    expect((await staying).ok).toBe(true);
    expect(await pool.open(hostSpec(host), abort.signal)).toMatchObject({ ok: false });
    expect((await pool.open(hostSpec(host, { host: 'other' }), new AbortController().signal)).ok).toBe(true);
  });

  it('closes what is open and what is still opening, and opens nothing afterwards', async () => {
    const opened = await pool.open({ ...localSpec });
    const opening = pool.open(hostSpec(host));
    await pool.close('shutting down');
    expect(opened.ok && (await opened.value.ended)).toBeUndefined();
    expect(await opening).toMatchObject({ ok: false, problem: { code: 'line.cancelled' } });
    expect(pool.sessions()).toEqual([]);
    expect(await pool.open(hostSpec(host))).toMatchObject({ ok: false, problem: { code: 'line.closed' } });
  });

  it('does not wait for hosts that never answer when it closes', async () => {
    const mute = createServer();
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    const { port } = mute.address() as AddressInfo;
    const opening = pool.open(hostSpec(host, { port }));
    await new Promise((resolve) => mute.once('connection', resolve));
    await pool.close('shutting down');
    expect(await opening).toMatchObject({ ok: false, problem: { code: 'line.cancelled' } });
    mute.close();
  });

  it('starts the agent of this Towline', async () => {
    pool = poolWith({ bundle: agentBundle, session: { ...sessionDeadlines } });
    const opened = await pool.open(hostSpec(host));
    if (!opened.ok) throw new Error(opened.problem.message);
    const session = opened.value;
    expect(session.hello).toMatchObject({
      protocol: PROTOCOL_VERSION,
      facts: { os: { architecture: process.arch } },
    });
    const output: string[] = [];
    const call = { argv: ['sh', '-c', 'cat; exit 4'], stdin: 'typed', timeout: 10 };
    const ran = await session.exec({ ...call, onOutput: (_stream, text) => output.push(text) });
    expect(ran).toEqual({ ok: true, value: { status: 4, signal: null } });
    expect(output.join('')).toBe('typed');
    expect((await session.facts()).ok).toBe(true);
    const contents = new MemoryContents();
    const bytes = [randomBytes(2_000_000), Buffer.from('small')];
    const plan = filePlan(
      'web',
      bytes.map((part) => contents.add(part)),
      host.home,
    );
    const applying = convergeCall(plan, contents);

    expect(await session.converge(applying)).toMatchObject({
      ok: true,
      value: { ok: true, outcomes: { changed: 2 } },
    });
    expect(readFileSync(join(host.home, '0')).equals(bytes[0] as Buffer)).toBe(true);
    const before = session.traffic.sent;
    const again = await session.converge({
      ...applying,
      mode: 'check',
      applied: { digest: applying.digest, plan },
    });
    expect(again).toMatchObject({ ok: true, value: { ok: true, outcomes: { unchanged: 2 } } });
    expect(session.traffic.sent - before).toBeLessThan(500);
    expect(session.traffic.sent).toBeGreaterThan((await agentBundle()).compressed.length);
  });

  it('passes on that there is no agent to send', async () => {
    pool = poolWith({
      bundle: async () => {
        throw new ProblemError(connectionProblem('runtime.no-agent', 'nothing built'));
      },
    });
    expect(await pool.open(localSpec)).toMatchObject({ ok: false, problem: { code: 'runtime.no-agent' } });
    expect(poolOptions(() => {}).atOnce).toBe(32);
  });

  it.skipIf(!hasSshd)('carries large contents through many key exchanges', async () => {
    const sshd = await startSshd(join(folder, 'sshd'), ['RekeyLimit 1M 10s']);
    const { port, user, keyFile, hostKey } = sshd;
    pool = poolWith({ session: { ...sessionDeadlines } });
    const opened = await pool.open({ ...hostSpec(host), port, user, keyFile, pinnedKeys: [hostKey] });
    if (!opened.ok) throw new Error(opened.problem.message);
    const contents = new MemoryContents();
    const plan = filePlan('web', [contents.add(randomBytes(12_000_000))]);
    const result = await opened.value.converge(convergeCall(plan, contents));
    expect(result.ok && result.value.reports[0]?.resource).toBe('whole inline=0 verified=1');
    await pool.close('done');
    await sshd.stop();
  });

  it.skipIf(!hasSshd)('notices a host that stops in the middle of a call', async () => {
    const sshd = await startSshd(join(folder, 'sshd'));
    const { port, user, keyFile, hostKey } = sshd;
    const spec = { ...hostSpec(host), port, user, keyFile, pinnedKeys: [hostKey] };
    const opened = await pool.open(spec);
    if (!opened.ok) throw new Error(opened.problem.message);
    const call = opened.value.converge(convergeCall(filePlan('quiet', []), new MemoryContents()));
    for (const pid of sshd.children()) process.kill(pid, 'SIGSTOP');
    expect(await call).toMatchObject({ ok: false, problem: { code: 'line.silent' } });
    expect(lost).toMatchObject([['web1', { code: 'line.silent' }]]);
    await sshd.stop();
  });
});

describe('names of connections', () => {
  it('are equal exactly when a line can be shared, and show no password', () => {
    const spec = hostSpec(host, { password: new Secret('hunter2') });
    expect(connectionKey(spec)).toBe(connectionKey({ ...spec, password: new Secret('hunter2') }));
    expect(connectionKey(spec)).not.toBe(connectionKey({ ...spec, password: new Secret('hunter3') }));
    expect(connectionKey(spec)).not.toContain('hunter');
    const become = { method: 'sudo', user: 'root' } as const;
    expect(connectionKey({ ...spec, become })).toBe(connectionKey(spec));
    expect(contextKey({ ...spec, become })).not.toBe(contextKey(spec));
    expect(connectionKey({ ...spec, via: spec })).not.toBe(connectionKey(spec));
  });
});

describe('the gate', () => {
  it('lets only so many pass at once, and all in the end', async () => {
    const gate = new Gate(2);
    let inside = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside -= 1;
    };
    await Promise.all(Array.from({ length: 9 }, () => gate.pass(work)));
    await expect(gate.pass(() => Promise.reject(new Error('x')))).rejects.toThrow('x');
    await gate.pass(work);
    expect(most).toBe(2);
  });
});
