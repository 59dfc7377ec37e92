/**
 * Which contexts are closed: decided over generated uses, and done by a pool on a real line.
 */

import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Result } from '../../../agent/protocol/problem.ts';
import { builtInDefaults } from '../../../inventory/defaults.ts';
import { agentBundle } from '../../../reconciler/connection/agent-bundle.ts';
import { ConnectionPool, type PoolOptions } from '../../../reconciler/connection/pool.ts';
import {
  type ContextUse,
  contextsToRecycle,
  idleContexts,
} from '../../../reconciler/connection/recycling.ts';
import { type SshHost, startSshHost } from '../../../reconciler/demo/ssh-host.ts';
import { hostSpec, localSpec, testPoolOptions } from '../../helpers/lines.ts';

const now = 1_000_000;

const uses = fc
  .array(
    fc.record({
      host: fc.constantFrom('web1', 'web2'),
      openedAt: fc.integer({ min: 0, max: now }),
      usedAt: fc.integer({ min: 0, max: now }),
      calls: fc.constantFrom(0, 0, 1),
      children: fc.constantFrom(0, 0, 3),
    }),
    { maxLength: 40 },
  )
  .map((all): ContextUse[] => all.map((use, index) => ({ ...use, key: `context${index}` })));

const byKey = (all: readonly ContextUse[], keys: readonly string[]): ContextUse[] =>
  all.filter(({ key }) => keys.includes(key));

describe('contexts to recycle', () => {
  it('are idle ones of the host, no more than needed, and none is younger than one that is closed', () => {
    fc.assert(
      fc.property(uses, fc.integer({ min: 1, max: 20 }), (all, limit) => {
        const chosen = byKey(all, contextsToRecycle(all, { host: 'web1', limit, now }));
        const here = all.filter(({ host }) => host === 'web1');
        expect(chosen.every(({ host, calls, children }) => host === 'web1' && calls + children === 0)).toBe(
          true,
        );
        expect(chosen.length).toBeLessThanOrEqual(Math.max(0, here.length + 1 - limit));
        const spared = here.filter(
          (use) => !chosen.includes(use) && use.calls + use.children === 0 && now - use.usedAt >= 2000,
        );
        for (const { openedAt } of spared)
          expect(chosen.every((closed) => closed.openedAt >= openedAt)).toBe(true);
        if (spared.length > 0) expect(here.length - chosen.length + 1).toBeLessThanOrEqual(limit);
      }),
    );
  });

  it('are none where someone was just given the only idle one', () => {
    const use = { key: 'a', host: 'web1', openedAt: 0, usedAt: now - 10, calls: 0, children: 0 };
    expect(contextsToRecycle([use], { host: 'web1', limit: 1, now })).toEqual([]);
    expect(contextsToRecycle([use], { host: 'web1', limit: 1, now: now + 5000 })).toEqual(['a']);
  });
});

describe('idle contexts', () => {
  it('are closed once nobody used them for so long, never while they are in use, and looked for in time', () => {
    fc.assert(
      fc.property(uses, fc.integer({ min: 1, max: now }), (all, idle) => {
        const { close, lookAgainIn } = idleContexts(all, idle, now);
        for (const use of byKey(all, close)) {
          expect(use.calls + use.children).toBe(0);
          expect(now - use.usedAt).toBeGreaterThanOrEqual(idle);
        }
        const left = all.filter(({ key }) => !close.includes(key));
        expect(lookAgainIn === undefined).toBe(left.length === 0);
        if (lookAgainIn === undefined) return;
        expect(lookAgainIn).toBeGreaterThan(0);
        expect(idleContexts(left, idle, now + lookAgainIn - 1).close).toEqual([]);
      }),
    );
  });
});

describe('a pool with few contexts', () => {
  let folder = '';
  let host: SshHost;
  let pool: ConnectionPool;
  let time = 0;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'recycling-'));
    mkdirSync(join(folder, 'bin'));
    const sudo = '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done; shift; exec "$@"\n';
    writeFileSync(join(folder, 'bin', 'sudo'), sudo);
    chmodSync(join(folder, 'bin', 'sudo'), 0o755);
    host = await startSshHost({ folder, path: [join(folder, 'bin')] });
    time = 0;
  });
  afterEach(async () => {
    await pool.close('the test is over');
    await host.stop();
    rmSync(folder, { recursive: true });
  });

  function poolWith(tuning: Partial<PoolOptions['tuning']>, now?: () => number): void {
    const options = testPoolOptions(join(folder, 'known_hosts'));
    pool = new ConnectionPool({
      ...options,
      bundle: agentBundle,
      tuning: { ...builtInDefaults.tuning, ...tuning },
      now,
    });
  }

  const must = <T>(result: Result<T>): T => {
    if (!result.ok) throw new Error(result.problem.message);
    return result.value;
  };
  const as = async (user: string) =>
    must(await pool.open(hostSpec(host, { become: { method: 'sudo', user } })));

  it('closes the youngest idle one for a new one, and keeps the login account’s', async () => {
    poolWith({ contextsPerHost: 3 }, () => time);
    const own = must(await pool.open(hostSpec(host)));
    time += 5000;
    const first = await as('first');
    time += 5000;
    const second = await as('second');
    time += 5000;
    await as('third');
    expect(await second.ended).toBeUndefined();
    expect(pool.sessions()).toHaveLength(3);
    expect((await own.ping()).ok && (await first.ping()).ok).toBe(true);
    time += 5000;
    expect(await as('second')).not.toBe(second);
    expect(host.logins).toBe(1);
  });

  it('exceeds the limit rather than closing one that works', async () => {
    poolWith({ contextsPerHost: 1 }, () => time);
    const own = must(await pool.open(hostSpec(host)));
    const program = must(await own.start(['cat']));
    time += 5000;
    await as('other');
    expect(pool.sessions()).toHaveLength(2);
    program.kill();
    await program.exited;
  });

  it('closes what nobody uses when it is told to, and opens it again when somebody asks', async () => {
    poolWith({ idleClose: 0.2 });
    const own = must(await pool.open(hostSpec(host)));
    expect(await own.ended).toBeUndefined();
    expect(pool.sessions()).toEqual([]);
    expect(must(await pool.open(hostSpec(host)))).not.toBe(own);
    expect(host.logins).toBe(2);
  });

  it('keeps a line open while a program runs through it, as for hosts behind it', async () => {
    poolWith({ idleClose: 0.2 });
    const parent = { ...localSpec, host: 'here', relay: true };
    const own = must(await pool.open(parent));
    const program = must(await own.start(['cat']));
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect((await own.ping()).ok).toBe(true);
    program.kill();
    expect(await own.ended).toBeUndefined();
  });
});
