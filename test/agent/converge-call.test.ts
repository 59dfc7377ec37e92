/**
 * A converge call among others on one host: the lock, and what stands in its way.
 * Invariant: the lock is a real one; its other holder is this test.
 * Never a timing assertion.
 */

import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { takeLock } from '../../agent/lock.ts';
import { agentProblem } from '../../agent/protocol/problem-codes.ts';
import { ConvergeHost, ends, planOf } from './converge-host.ts';

let host: ConvergeHost;
beforeEach(() => {
  host = new ConvergeHost();
});
afterEach(() => host.remove());

async function holdLock(): Promise<() => Promise<void>> {
  const taken = await takeLock(host.path('agent'), 'another-run');
  if (!taken.free) throw new Error('the lock is held');
  return taken.release;
}

describe('a converge call', () => {
  it('says at once who holds the host', async () => {
    const release = await holdLock();
    const result = await host.converge(planOf([host.log('a')]));
    expect(result).toMatchObject({ ok: false, complete: false, problem: { code: 'agent.busy' } });
    expect(result.problem?.message).toContain('another-run');
    expect(result.problem?.message).toContain(String(process.pid));
    await release();
    expect(host.logged()).toEqual([]);
  });

  it('waits for the host when it may, says so once, and goes on when it is free', async () => {
    const release = await holdLock();
    const converging = host.converge(planOf([host.log('a')]), { lockWait: 60 });
    while (host.events.length === 0) await new Promise(setImmediate);
    await release();
    expect(ends(await converging)).toEqual(['command:a changed']);
    expect(host.events.filter(({ event }) => event === 'waiting')).toEqual([
      { event: 'waiting', reason: 'run another-run holds this host' },
    ]);
  });

  it('gives up waiting when it is cancelled, for the reason it was cancelled for', async () => {
    const release = await holdLock();
    const converging = host.converge(planOf([host.log('a')]), { lockWait: 60 });
    while (host.events.length === 0) await new Promise(setImmediate);
    host.stop.abort(agentProblem('agent.cancelled', 'not wanted any more'));
    expect((await converging).problem).toMatchObject({
      code: 'agent.cancelled',
      message: 'not wanted any more',
    });
    await release();
  });

  it('needs no lock for a dry run', async () => {
    const release = await holdLock();
    expect(ends(await host.check(planOf([host.file('f', 'x')])))).toEqual(['file:f changed']);
    await release();
  });

  it('gives the lock back, and runs without a journal where none can be written', async () => {
    writeFileSync(host.path('agent'), 'a file where a directory should be');
    const blocked = await host.converge(planOf([host.log('a')]));
    expect(blocked.problem?.code).toBe('file.wrong-type');
    host.remove();
    host = new ConvergeHost();
    const first = await host.converge(planOf([host.log('a')]));
    const second = await host.converge(planOf([host.log('b')]));
    expect([first.ok, second.ok]).toEqual([true, true]);
  });

  it('answers a delta that leaves its base with a problem', async () => {
    await host.converge(planOf([host.file('f', 'x')]));
    const delta = { base: 'd1', resources: [[5, 1] as [number, number]], handlers: [] };
    const result = await host.converge(planOf([]), { plan: { delta }, digest: 'd2' });
    expect(result).toMatchObject({ complete: false, problem: { code: 'agent.internal' } });
  });
});
