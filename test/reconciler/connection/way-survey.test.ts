import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ConnectionSpec } from '../../../inventory/connection-spec.ts';
import { agentBundle } from '../../../reconciler/connection/agent-bundle.ts';
import { ConnectionPool } from '../../../reconciler/connection/pool.ts';
import type { Hop, Survey, Way } from '../../../reconciler/connection/session.ts';
import { sshDeadlines } from '../../../reconciler/connection/ssh-connection.ts';
import { localSpec, testPoolOptions } from '../../helpers/lines.ts';
import { hasSshd, type Sshd, startSshd } from '../../helpers/sshd.ts';

describe.skipIf(!hasSshd)('a survey of ways', () => {
  const folder = mkdtempSync(join(tmpdir(), 'survey-'));
  let door: Sshd;
  let inner: Sshd;
  let pool: ConnectionPool;
  let survey: Survey;

  beforeAll(async () => {
    inner = await startSshd(join(folder, 'inner'));
    // The account of the relay is the one that runs the tests, and its own keys are none of ours.
    const client = `#!/bin/sh\nexec /usr/bin/ssh -i ${inner.keyFile} "$@"\n`;
    mkdirSync(join(folder, 'bin'));
    writeFileSync(join(folder, 'bin', 'ssh'), client, { mode: 0o755 });
    door = await startSshd(join(folder, 'door'), [`SetEnv PATH=${join(folder, 'bin')}:${process.env.PATH}`]);
    writeFileSync(join(folder, 'config'), 'GlobalKnownHostsFile /dev/null\n');
  });
  beforeEach(() => {
    pool = poolOf();
    survey = pool.survey();
  });
  afterEach(async () => {
    survey.end();
    await pool.close('the test is over');
  });
  afterAll(async () => {
    await Promise.all([door.stop(), inner.stop()]);
    rmSync(folder, { recursive: true });
  });

  function poolOf(deadlines = sshDeadlines): ConnectionPool {
    const options = testPoolOptions(join(folder, 'known_hosts'));
    return new ConnectionPool({
      ...options,
      ssh: { ...options.ssh, deadlines },
      bundle: agentBundle,
      opensshConfig: join(folder, 'config'),
    });
  }

  function spec(host: string, sshd: Sshd, more: Partial<ConnectionSpec> = {}): ConnectionSpec {
    const { port, user, keyFile, hostKey } = sshd;
    const trust = { hostKeys: 'pinned', pinnedKeys: [hostKey] } as const;
    return { kind: 'ssh', host, address: '127.0.0.1', port, user, keyFile, ...trust, ...more };
  }
  const toInner = (more: Partial<ConnectionSpec> = {}, host = 'inner'): ConnectionSpec =>
    spec(host, inner, { via: spec('door', door), ...more });

  async function surveyed(wanted: ConnectionSpec): Promise<Way> {
    return survey.measure(await survey.reach(wanted));
  }

  function logins(name: string): number {
    return readFileSync(join(folder, name, 'log'), 'utf8').split('Accepted publickey').length - 1;
  }

  /** Every number is one that can be: not negative, not endless. */
  function expectTimes({ setUpMilliseconds, roundTripMilliseconds }: Hop): void {
    for (const time of [setUpMilliseconds, roundTripMilliseconds]) {
      expect(time).toBeGreaterThanOrEqual(0);
      expect(time).toBeLessThan(60_000);
    }
  }

  it('has one hop for a host that is reached directly, the agent’s part apart', async () => {
    const { hops, session } = await surveyed(spec('door', door));
    expect(hops).toMatchObject([{ host: 'door', kind: 'ssh', agentMilliseconds: expect.any(Number) }]);
    hops.forEach(expectTimes);
    expect(session?.host).toBe('door');
  });

  it('measures a bastion without an agent, then the host behind it', async () => {
    const { hops, session } = await surveyed(toInner());
    expect(hops.map(({ host, kind }) => [host, kind])).toEqual([
      ['door', 'ssh'],
      ['inner', 'tunnel'],
    ]);
    hops.forEach(expectTimes);
    expect(hops[0]).not.toHaveProperty('agentMilliseconds');
    expect(session?.host).toBe('inner');
    expect(pool.sessions().map(({ host }) => host)).toEqual(['inner']);
  });

  it('measures a bastion that several hosts share once, by one login', async () => {
    const before = logins('door');
    const ways = await Promise.all(['one', 'two', 'three'].map((host) => surveyed(toInner({}, host))));
    const doors = ways.map(({ hops }) => hops[0]);
    expect(new Set(doors.map((hop) => JSON.stringify(hop))).size).toBe(1);
    expect(ways.map(({ hops }) => hops[1]?.host)).toEqual(['one', 'two', 'three']);
    expect(logins('door') - before).toBe(1);
  });

  it('ends where nothing answers, with the hops before it', async () => {
    const { hops, session } = await surveyed(toInner({ port: 1 }));
    expect(hops).toMatchObject([
      { host: 'door', kind: 'ssh' },
      { host: 'inner', kind: 'tunnel', problem: { code: 'ssh.unreachable', where: { host: 'inner' } } },
    ]);
    if (hops[0] !== undefined) expectTimes(hops[0]);
    expect(session).toBeUndefined();
  });

  it('ends at a bastion that lets nobody in', async () => {
    const via = spec('door', door, { user: 'nobody-at-all' });
    const { hops } = await surveyed(toInner({ via }));
    expect(hops).toMatchObject([
      { host: 'door', problem: { code: 'ssh.auth-refused', where: { host: 'door' } } },
    ]);
  });

  it('ends at a bastion that stops answering, in time', async () => {
    await pool.close('another one');
    pool = poolOf({ ...sshDeadlines, channel: 300 });
    survey = pool.survey();
    const way = await survey.reach(toInner());
    const stopped = door.children();
    for (const pid of stopped) process.kill(pid, 'SIGSTOP');
    try {
      const { hops } = await survey.measure(way);
      expect(hops).toMatchObject([{ host: 'door', problem: { code: 'line.lost' } }]);
      expect(hops[0]?.problem?.message).toContain('no sign of life within 0.3 s');
    } finally {
      for (const pid of stopped) process.kill(pid, 'SIGCONT');
    }
  });

  it('measures a relay by its agent, and the host that the relay opens', async () => {
    const { hops } = await surveyed(toInner({ via: spec('door', door, { relay: true }) }));
    expect(hops.map(({ host, kind }) => [host, kind])).toEqual([
      ['door', 'ssh'],
      ['inner', 'relayed'],
    ]);
    hops.forEach(expectTimes);
    expect(hops[0]).toHaveProperty('agentMilliseconds');
    expect(pool.sessions().map(({ host }) => host)).toEqual(['door', 'inner']);
  });

  it('ends behind a relay where the relay finds nobody', async () => {
    const relay = spec('door', door, { relay: true });
    const { hops } = await surveyed(toInner({ via: relay, port: 1 }));
    expect(hops).toMatchObject([
      { host: 'door', roundTripMilliseconds: expect.any(Number) },
      { host: 'inner', kind: 'relayed', problem: { code: 'ssh.unreachable' } },
    ]);
  });

  it('leaves out what the OpenSSH client does not tell of a chain', async () => {
    const { hops } = await surveyed(toInner({ transport: 'openssh' }));
    expect(hops).toMatchObject([
      { host: 'door', kind: 'openssh' },
      { host: 'inner', kind: 'openssh' },
    ]);
    expect(Object.keys(hops[0] ?? {})).toEqual(['host', 'kind']);
    if (hops[1] !== undefined) expectTimes(hops[1]);
  });

  it('ends where the OpenSSH client was not let by', async () => {
    const shut = spec('door', door, { port: 1 });
    expect((await surveyed(toInner({ transport: 'openssh', via: shut }))).hops).toMatchObject([
      { host: 'door', kind: 'openssh', problem: { code: 'ssh.unreachable', where: { host: 'door' } } },
    ]);
    expect((await surveyed(toInner({ transport: 'openssh', port: 1 }))).hops).toMatchObject([
      { host: 'door' },
      { host: 'inner', problem: { code: 'ssh.unreachable', where: { host: 'inner' } } },
    ]);
  });

  it('calls this machine what it is', async () => {
    const { hops } = await surveyed(localSpec);
    expect(hops).toMatchObject([{ host: 'here', kind: 'local' }]);
    hops.forEach(expectTimes);
  });

  it('opens nothing any more once it was cancelled', async () => {
    const abort = new AbortController();
    const cancelled = pool.survey(abort.signal);
    abort.abort();
    expect((await cancelled.reach(toInner())).hops).toMatchObject([
      { host: 'inner', problem: { code: 'line.cancelled' } },
    ]);
  });

  it('stops waiting for a bastion when it is cancelled, and lets its login go', async () => {
    const abort = new AbortController();
    const cancelled = pool.survey(abort.signal);
    const way = cancelled.reach(toInner());
    setImmediate(() => abort.abort());
    expect((await way).hops.at(-1)).toMatchObject({ problem: { code: 'line.cancelled' } });
    expect(pool.sessions()).toEqual([]);
    await expect.poll(() => door.children()).toEqual([]);
  });

  it('gives back what it held', async () => {
    const { hops } = await surveyed(toInner({ port: 1 }));
    expect(hops).toHaveLength(2);
    // Those of the tests before may take a moment to end.
    await expect.poll(() => door.children()).toHaveLength(1);
    survey.end();
    await expect.poll(() => door.children()).toEqual([]);
  });
});
