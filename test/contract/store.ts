/**
 * What every Store must do, whatever its engine.
 * Invariant: each case begins with an empty store of its own.
 * Never looks behind the interface.
 */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Facts } from '../../agent/protocol/facts.ts';
import type { RolePlan } from '../../agent/protocol/plan.ts';
import { agentProblem } from '../../agent/protocol/problem-codes.ts';
import type { RunEvent, RunSummary } from '../../reconciler/base/event.ts';
import type { LedgerEntry } from '../../reconciler/base/ledger.ts';
import type { EnvironmentRecord, RunRecord, Store } from '../../reconciler/state/store.ts';

/** A plan of one echo, the same for every host but for its name. */
export function samplePlan(host: string, role: string, text = 'hello'): RolePlan {
  const resource = { id: `echo:${text}`, kind: 'echo', wanted: { text }, meta: {} };
  return {
    environment: 'production',
    host,
    role,
    resources: [resource],
    handlers: [],
  } as unknown as RolePlan;
}

/** A ledger entry whose digest tells what it is. */
export function sampleEntry(host: string, role: string, change: Partial<LedgerEntry> = {}): LedgerEntry {
  return {
    host,
    role,
    digest: `digest of ${host} ${role}`,
    revision: 'a'.repeat(40),
    appliedAt: '2026-01-02T03:04:05.000Z',
    run: 'run-1',
    inputs: { 'role source': 'f'.repeat(64) },
    plan: samplePlan(host, role),
    ...change,
  };
}

const facts = { os: null, uptime: 17, machineId: 'abc', custom: { rack: 'b2' } } as unknown as Facts;

const summary: RunSummary = {
  outcome: 'done',
  resources: { unchanged: 1, changed: 2, failed: 0, skipped: 0, unknown: 0 },
  hosts: { changed: ['web1'], unchanged: [], failed: [], unreachable: [], waiting: [] },
  milliseconds: 12,
};

function sampleRun(run: string, change: Partial<RunRecord> = {}): RunRecord {
  return {
    run,
    environment: 'production',
    trigger: 'commit',
    mode: 'apply',
    startedAt: '2026-01-01T00:00:00.000Z',
    ...change,
  };
}

function connecting(run: string, host: string): RunEvent {
  return { type: 'host-connecting', run, at: '2026-01-01T00:00:01.000Z', environment: 'production', host };
}

/** A try that did not succeed. */
export const failedTry = {
  host: 'web1',
  role: 'web',
  digest: 'd2',
  at: '2026-01-02T00:00:00.000Z',
  run: 'run-2',
  problem: agentProblem('resource.failed', 'it broke'),
};

/** Runs the suite; `open` gives an empty store. */
export function storeContract(name: string, open: () => Promise<Store>): void {
  describe(`${name} as a Store`, () => {
    let store: Store;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(async () => {
      await store.close();
    });

    describe('ledger', () => {
      it('gives back an applied entry as it was recorded', async () => {
        await store.ledger.recordApplied('production', sampleEntry('web1', 'web'));
        expect(await store.ledger.entry('production', 'web1', 'web')).toEqual(sampleEntry('web1', 'web'));
      });

      it('keeps environments, hosts and roles apart', async () => {
        await store.ledger.recordApplied('production', sampleEntry('web1', 'web'));
        await store.ledger.recordApplied('staging', sampleEntry('web1', 'web', { digest: 'other' }));
        await store.ledger.recordApplied('production', sampleEntry('web2', 'base'));
        expect(await store.ledger.digests('production')).toEqual(
          new Map([
            ['web', new Map([['web1', 'digest of web1 web']])],
            ['base', new Map([['web2', 'digest of web2 base']])],
          ]),
        );
        expect(await store.ledger.digests('nowhere')).toEqual(new Map());
        expect(await store.ledger.entry('production', 'web2', 'web')).toBeUndefined();
        expect(await store.ledger.entry('nowhere', 'web2', 'web')).toBeUndefined();
      });

      it('gives many entries in the order they were asked for, with gaps where there is none', async () => {
        await store.ledger.recordApplied('production', sampleEntry('web1', 'web'));
        await store.ledger.recordApplied('production', sampleEntry('web2', 'base'));
        const pairs = [
          { host: 'web2', role: 'base' },
          { host: 'web2', role: 'web' },
          { host: 'nobody', role: 'nothing' },
          { host: 'web1', role: 'web' },
        ];
        expect(await store.ledger.entries('production', pairs)).toEqual([
          sampleEntry('web2', 'base'),
          undefined,
          undefined,
          sampleEntry('web1', 'web'),
        ]);
        expect(await store.ledger.entries('nowhere', pairs)).toEqual([
          undefined,
          undefined,
          undefined,
          undefined,
        ]);
        expect(await store.ledger.entries('production', [])).toEqual([]);
      });

      it('gives digests that follow every write', async () => {
        const keys = async (): Promise<readonly string[]> =>
          [...(await store.ledger.digests('production'))]
            .flatMap(([role, hosts]) => [...hosts].map(([host, digest]) => `${host} ${role} = ${digest}`))
            .sort();
        expect(await keys()).toEqual([]);
        await store.ledger.recordApplied('production', sampleEntry('web1', 'web'));
        expect(await keys()).toEqual(['web1 web = digest of web1 web']);
        await store.ledger.recordApplied('production', sampleEntry('web1', 'web', { digest: 'newer' }));
        await store.ledger.recordApplied('production', sampleEntry('web2', 'web', { digest: 'newer' }));
        expect(await keys()).toEqual(['web1 web = newer', 'web2 web = newer']);
        await store.ledger.release('production', 'web1', 'web');
        expect(await keys()).toEqual(['web2 web = newer']);
      });

      it('keeps a plan of any size', async () => {
        const plan = samplePlan('web1', 'web', 'long '.repeat(2000));
        await store.ledger.recordApplied('production', sampleEntry('web1', 'web', { plan }));
        expect((await store.ledger.entry('production', 'web1', 'web'))?.plan).toEqual(plan);
      });

      it('keeps the newest of two applied entries', async () => {
        await store.ledger.recordApplied('production', sampleEntry('web1', 'web'));
        const newer = sampleEntry('web1', 'web', { digest: 'd2', plan: samplePlan('web1', 'web', 'bye') });
        await store.ledger.recordApplied('production', newer);
        expect(await store.ledger.entry('production', 'web1', 'web')).toEqual(newer);
        expect((await store.ledger.digests('production')).size).toBe(1);
      });

      it('keeps the order of keys inside a plan', async () => {
        const plan = samplePlan('web1', 'web');
        await store.ledger.recordApplied('production', sampleEntry('web1', 'web', { plan }));
        const entry = await store.ledger.entry('production', 'web1', 'web');
        expect(JSON.stringify(entry?.plan.resources)).toBe(JSON.stringify(plan.resources));
      });

      it('counts failed tries in a row and forgets them after a success', async () => {
        await store.ledger.recordFailed('production', failedTry);
        await store.ledger.recordFailed('production', { ...failedTry, digest: 'd3', run: 'run-3' });
        expect(await store.ledger.failed('production')).toEqual([
          { ...failedTry, digest: 'd3', run: 'run-3', attempts: 2 },
        ]);
        await store.ledger.recordApplied('production', sampleEntry('web1', 'web'));
        expect(await store.ledger.failed('production')).toEqual([]);
        await store.ledger.recordFailed('production', failedTry);
        expect((await store.ledger.failed('production'))[0]?.attempts).toBe(1);
        expect(await store.ledger.failed('nowhere')).toEqual([]);
      });

      it('leaves what was applied in force when a later try fails', async () => {
        await store.ledger.recordApplied('production', sampleEntry('web1', 'web'));
        await store.ledger.recordFailed('production', failedTry);
        expect((await store.ledger.digests('production')).get('web')?.get('web1')).toBe('digest of web1 web');
      });

      it('gives back what a released pair managed and forgets it', async () => {
        await store.ledger.recordApplied('production', sampleEntry('web1', 'web'));
        await store.ledger.recordApplied('production', sampleEntry('web2', 'web'));
        await store.ledger.recordFailed('production', failedTry);
        expect(await store.ledger.release('production', 'web1', 'web')).toEqual(sampleEntry('web1', 'web'));
        expect(await store.ledger.release('production', 'web1', 'web')).toBeUndefined();
        expect(await store.ledger.release('production', 'web9', 'web')).toBeUndefined();
        expect(await store.ledger.failed('production')).toEqual([]);
        expect(await store.ledger.entry('production', 'web2', 'web')).toEqual(sampleEntry('web2', 'web'));
      });

      it('names every environment that has applied something to a host', async () => {
        await store.ledger.recordApplied('staging', sampleEntry('web1', 'web'));
        await store.ledger.recordApplied('production', sampleEntry('web1', 'base'));
        await store.ledger.recordApplied('preview/x', sampleEntry('web2', 'web'));
        await store.ledger.recordFailed('broken', { ...failedTry, host: 'web1' });
        expect(await store.ledger.environmentsOf('web1')).toEqual(['production', 'staging']);
        expect(await store.ledger.environmentsOf('web3')).toEqual([]);
      });

      it('takes many writes at once, and a refused one takes no other with it', async () => {
        const broken = { ...sampleEntry('web0', 'web'), digest: undefined as unknown as string };
        const writes = [
          store.ledger.recordApplied('production', sampleEntry('web1', 'web')),
          store.ledger.recordApplied('production', broken),
          store.ledger.recordApplied('production', sampleEntry('web2', 'web')),
        ];
        const ends = await Promise.allSettled(writes);
        expect(ends.map((end) => end.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
        expect([...((await store.ledger.digests('production')).get('web')?.keys() ?? [])]).toEqual([
          'web1',
          'web2',
        ]);
        await store.ledger.recordApplied('production', sampleEntry('web0', 'web'));
        expect((await store.ledger.entry('production', 'web0', 'web'))?.host).toBe('web0');
      });
    });

    describe('facts', () => {
      it('keeps the newest facts of each host', async () => {
        await store.facts.put('web1', facts, '2026-01-01T00:00:00.000Z');
        await store.facts.put('web1', { ...facts, uptime: 99 }, '2026-01-02T00:00:00.000Z');
        await store.facts.put('web2', facts, '2026-01-03T00:00:00.000Z');
        expect(await store.facts.get('web1')).toMatchObject({
          facts: { ...facts, uptime: 99 },
          at: '2026-01-02T00:00:00.000Z',
        });
        expect(await store.facts.get('web3')).toBeUndefined();
        expect([...(await store.facts.all()).keys()].sort()).toEqual(['web1', 'web2']);
      });

      it('gives facts a fingerprint that only the uptime does not change', async () => {
        const put = async (change: object): Promise<string | undefined> => {
          await store.facts.put('web1', { ...facts, ...change }, '2026-01-01T00:00:00.000Z');
          const { fingerprint } = (await store.facts.get('web1')) ?? {};
          expect((await store.facts.all()).get('web1')?.fingerprint).toBe(fingerprint);
          return fingerprint;
        };
        const first = await put({});
        expect(await put({ uptime: 99 })).toBe(first);
        expect(await put({ machineId: 'f'.repeat(32) })).not.toBe(first);
      });
    });

    describe('history', () => {
      it('gives back a run with its events in order', async () => {
        await store.history.start(sampleRun('run-1'));
        await store.history.append('run-1', [connecting('run-1', 'web1'), connecting('run-1', 'web2')]);
        await store.history.append('run-1', []);
        await store.history.append('run-1', [connecting('run-1', 'web3')]);
        const revision = { id: 'abc', subject: 'Change', author: 'A', branch: 'main' };
        await store.history.finish('run-1', { at: '2026-01-01T00:00:09.000Z', revision, summary });
        const found = await store.history.run('run-1');
        expect(found?.record).toEqual(
          sampleRun('run-1', { finishedAt: '2026-01-01T00:00:09.000Z', revision, summary }),
        );
        expect(found?.events).toEqual(['web1', 'web2', 'web3'].map((host) => connecting('run-1', host)));
      });

      it('shows a run that never finished without a summary', async () => {
        const revision = { id: 'abc', subject: '', author: '' };
        await store.history.start(sampleRun('run-1', { revision }));
        expect((await store.history.run('run-1'))?.record).toEqual(sampleRun('run-1', { revision }));
      });

      it('lists runs newest first, by environment, by host and no more than asked', async () => {
        await store.history.start(sampleRun('run-1', { startedAt: '2026-01-01T00:00:00.000Z' }));
        await store.history.start(
          sampleRun('run-2', { startedAt: '2026-01-02T00:00:00.000Z', environment: 'b' }),
        );
        await store.history.start(sampleRun('run-3', { startedAt: '2026-01-03T00:00:00.000Z' }));
        await store.history.append('run-3', [connecting('run-3', 'web1')]);
        await store.history.append('run-2', [connecting('run-2', 'web1'), connecting('run-2', 'web2')]);
        const list = async (filter: Parameters<Store['history']['runs']>[0]): Promise<string[]> =>
          (await store.history.runs(filter)).map((record) => record.run);
        expect(await list({ limit: 2 })).toEqual(['run-3', 'run-2']);
        expect(await list({ environment: 'production', limit: 9 })).toEqual(['run-3', 'run-1']);
        expect(await list({ host: 'web1', limit: 9 })).toEqual(['run-3', 'run-2']);
        expect(await list({ host: 'web1', environment: 'b', limit: 9 })).toEqual(['run-2']);
        expect(await list({ limit: 0 })).toEqual([]);
      });

      it('finds a run by an unambiguous beginning of its id only', async () => {
        await store.history.start(sampleRun('abc1'));
        await store.history.start(sampleRun('abc12'));
        await store.history.start(sampleRun('xyz'));
        expect((await store.history.run('x'))?.record.run).toBe('xyz');
        expect((await store.history.run('abc1'))?.record.run).toBe('abc1');
        expect(await store.history.run('abc')).toBeUndefined();
        expect(await store.history.run('%')).toBeUndefined();
        expect(await store.history.run('')).toBeUndefined();
      });

      it('drops old runs with their events', async () => {
        await store.history.start(sampleRun('old', { startedAt: '2025-01-01T00:00:00.000Z' }));
        await store.history.append('old', [connecting('old', 'web1')]);
        await store.history.start(sampleRun('new', { startedAt: '2026-01-01T00:00:00.000Z' }));
        expect(await store.history.prune('2025-06-01T00:00:00.000Z')).toBe(1);
        expect(await store.history.run('old')).toBeUndefined();
        expect(await store.history.runs({ host: 'web1', limit: 9 })).toEqual([]);
        expect((await store.history.runs({ limit: 9 })).map((record) => record.run)).toEqual(['new']);
      });

      it('leaves out events of a run it does not know', async () => {
        await store.history.append('nobody', [connecting('nobody', 'web1')]);
        expect(await store.history.run('nobody')).toBeUndefined();
      });
    });

    describe('environments', () => {
      it('replaces the record of an environment whole', async () => {
        const record: EnvironmentRecord = {
          name: 'production',
          branch: 'main',
          stalled: { problems: [failedTry.problem], since: '2026-01-01T00:00:00.000Z' },
        };
        await store.environments.put(record);
        expect(await store.environments.get('production')).toEqual(record);
        await store.environments.put({ name: 'production', branch: 'main' });
        await store.environments.put({ name: 'a', branch: 'b' });
        expect(await store.environments.get('production')).toEqual({ name: 'production', branch: 'main' });
        expect((await store.environments.all()).map((one) => one.name)).toEqual(['a', 'production']);
        expect(await store.environments.get('nowhere')).toBeUndefined();
      });
    });
  });
}
