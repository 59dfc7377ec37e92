/**
 * What every Store must do for planning: digests of some pairs, and what is settled until something changes.
 * Invariant: each case begins with an empty store of its own.
 * Never looks behind the interface.
 */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LedgerMoment, PairsOf, Settled } from '../../reconciler/base/ledger.ts';
import type { Store } from '../../reconciler/state/store.ts';
import { failedTry, sampleEntry } from './store.ts';

/** Runs the suite; `open` gives an empty store. */
export function settledContract(name: string, open: () => Promise<Store>): void {
  describe(`${name} as a Store for planning`, () => {
    let store: Store;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(async () => {
      await store.close();
    });

    describe('ledger, of some pairs', () => {
      beforeEach(async () => {
        for (const host of ['web1', 'web2', 'web3'])
          for (const role of ['base', 'web'])
            await store.ledger.recordApplied('production', sampleEntry(host, role));
        await store.ledger.recordApplied('staging', sampleEntry('web1', 'web'));
      });

      const of = (roles: string[], hosts: string[]): PairsOf => ({
        roles: new Set(roles),
        hosts: new Set(hosts),
      });
      const pairs = async (asked?: PairsOf): Promise<string[]> =>
        [...(await store.ledger.digests('production', asked))]
          .flatMap(([role, hosts]) => [...hosts.keys()].map((host) => `${host} ${role}`))
          .sort();

      it('gives the digests of roles and of hosts that are asked for, and no others', async () => {
        const asked = async (): Promise<string[][]> => [
          await pairs(of(['web'], ['web2'])),
          await pairs(of([], ['web3', 'unknown'])),
          await pairs(of(['unknown'], [])),
        ];
        const expected = [['web1 web', 'web2 base', 'web2 web', 'web3 web'], ['web3 base', 'web3 web'], []];
        expect(await asked()).toEqual(expected);
        expect((await pairs()).length).toBe(6);
        expect(await asked()).toEqual(expected);
      });

      it('gives entries of more pairs than are worth asking one by one', async () => {
        const asked = Array.from({ length: 1200 }, (_, index) => ({ host: `web${index}`, role: 'web' }));
        const found = await store.ledger.entries('production', asked);
        expect(found.flatMap((entry) => entry?.host ?? [])).toEqual(['web1', 'web2', 'web3']);
      });

      it('counts the applied pairs of an environment', async () => {
        expect(await store.ledger.count('production')).toBe(6);
        await store.ledger.release('production', 'web1', 'web');
        expect(await store.ledger.count('production')).toBe(5);
        expect(await store.ledger.count('nowhere')).toBe(0);
      });
    });

    describe('what is settled', () => {
      const sample: Settled = {
        roles: new Map([
          ['base', { fingerprint: 'b1', paths: ['files/motd', 'files/tree/'] }],
          ['web', { fingerprint: '', paths: [] }],
        ]),
        hosts: new Map([
          ['web1', 'h1'],
          ['web2', 'h2'],
        ]),
      };
      const hosts = async (environment = 'production'): Promise<string[]> =>
        [...(await store.ledger.settled(environment)).hosts]
          .filter(([, fingerprint]) => fingerprint !== '')
          .map(([host]) => host)
          .sort();
      const settle = (settled: Settled, environment = 'production'): Promise<void> =>
        store.ledger.settle(environment, undefined, () => settled);

      it('is given back as it was judged, and replaced whole', async () => {
        expect(await store.ledger.settled('production')).toEqual({ roles: new Map(), hosts: new Map() });
        await settle(sample);
        expect(await store.ledger.settled('production')).toEqual(sample);
        const next: Settled = {
          roles: new Map([['base', { fingerprint: 'b2', paths: [] }]]),
          hosts: new Map([
            ['web2', 'h2b'],
            ['web3', 'h3'],
          ]),
        };
        await settle(next);
        expect(await store.ledger.settled('production')).toEqual(next);
        expect(await hosts('staging')).toEqual([]);
      });

      it('is judged by the ledger as it is then', async () => {
        await store.ledger.recordApplied('production', sampleEntry('web1', 'web'));
        await store.ledger.recordFailed('production', { ...failedTry, role: 'base' });
        let seen: LedgerMoment | undefined;
        await store.ledger.settle('production', undefined, (moment) => {
          seen = moment;
          return sample;
        });
        expect(seen?.applied.get('web')?.get('web1')).toBe('digest of web1 web');
        expect(seen?.failed).toMatchObject([{ host: 'web1', role: 'base' }]);
      });

      it.each([
        ['is applied', (it: Store) => it.ledger.recordApplied('production', sampleEntry('web1', 'new'))],
        [
          'is applied again',
          (it: Store) => it.ledger.recordApplied('production', sampleEntry('web1', 'web')),
        ],
        ['fails', (it: Store) => it.ledger.recordFailed('production', failedTry)],
        ['is released', (it: Store) => it.ledger.release('production', 'web1', 'web')],
      ])('loses a host when a role %s on it, and no other host', async (_, change) => {
        await store.ledger.recordApplied('production', sampleEntry('web1', 'web'));
        await settle(sample);
        await settle(sample, 'staging');
        await change(store);
        expect(await hosts()).toEqual(['web2']);
        expect(await hosts('staging')).toEqual(['web1', 'web2']);
      });

      it('loses a host when what failed on it succeeds', async () => {
        await store.ledger.recordFailed('production', failedTry);
        await settle(sample);
        await store.ledger.recordFailed('production', failedTry);
        expect(await hosts()).toEqual(['web2']);
        await settle(sample);
        await store.ledger.recordApplied('production', sampleEntry('web1', 'web'));
        expect(await hosts()).toEqual(['web2']);
      });
    });
  });
}
