import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fleetAvailable } from '../fleet/available.ts';
import { type Fleet, upFleet } from '../fleet/fleet.ts';
import { temporaryDirectories } from '../helpers/temporary-directory.ts';
import type { ReconcilerProcess } from './driver/reconciler-process.ts';
import { fileOf, role, smallPolicy } from './driver/small-policy.ts';
import { convergedIn, summaryOf, Towline } from './driver/towline.ts';

const fresh = temporaryDirectories();
/** Connecting gives up after ten seconds; a run that waited for that takes longer than this. */
const withoutWaiting = 8000;

describe.skipIf(fleetAvailable() !== undefined)(
  'a host that answers nothing at all, under a running reconciler',
  () => {
    let fleet: Fleet;
    let towline: Towline;
    let reconciler: ReconcilerProcess;

    beforeAll(async () => {
      fleet = await upFleet({ count: 4 });
      towline = new Towline(fresh(), smallPolicy(fleet));
      expect((await towline.run('apply')).status).toBe(0);
      await fleet.host('host2').stop('silence');
      reconciler = towline.start('run');
      await reconciler.run(towline.git('rev-parse', 'HEAD'));
    });
    afterAll(async () => {
      await reconciler?.stop();
      await fleet?.down();
    });

    it('is unreachable after a while, and the others of its role are done', async () => {
      const run = await reconciler.run(towline.commit(role('web', 'web 2')));
      expect(summaryOf(run)).toMatchObject({
        outcome: 'failed',
        hosts: { changed: ['host1'], unreachable: ['host2'] },
      });
    });

    it('holds up no later commit, neither while it is tried again nor in an earlier role', async () => {
      await reconciler.until('retry', (lines) =>
        lines.find((line) => line.type === 'run-started' && line.trigger === 'retry'),
      );
      for (const version of ['db 2', 'db 3']) {
        const run = await reconciler.run(towline.commit(role('db', version)));
        expect(convergedIn(run)).toEqual(['host3/db', 'host4/db']);
        expect(summaryOf(run)).toMatchObject({ hosts: { unreachable: ['host2'] } });
        expect(summaryOf(run).milliseconds).toBeLessThan(withoutWaiting);
        expect(await fleet.host('host3').readFile(fileOf('db'))).toBe(`${version} plain\n`);
      }
      const row = (await towline.status()).hosts.find(({ host }) => host === 'host2');
      expect(row).toMatchObject({ state: 'unreachable', problem: { code: 'ssh.unreachable' } });
    });

    it('catches up by itself when it is back', async () => {
      const mark = reconciler.lines.length;
      await fleet.host('host2').start();
      const run = await reconciler.runAfter(mark, (lines) => convergedIn(lines).includes('host2/web'), 60);
      expect(convergedIn(run)).toEqual(['host2/web']);
      expect(await fleet.host('host2').readFile(fileOf('web'))).toBe('web 2 plain\n');
      expect((await towline.status()).hosts.map(({ state }) => state)).toEqual(Array(4).fill('in-sync'));
    });

    it('holds up nobody when its line goes silent in the middle either', async () => {
      const mark = reconciler.lines.length;
      await fleet.host('host2').stop('silence');
      const first = towline.commit(role('web', 'web 3'));
      await reconciler.until('start of the run', (lines) =>
        lines.slice(mark).find((line) => line.type === 'role-started' && line.role === 'web'),
      );
      await expect
        .poll(() => fleet.host('host1').readFile(fileOf('web')), { timeout: 5000 })
        .toBe('web 3 plain\n');
      expect(summaryOf(await reconciler.run(first, 40)).hosts.unreachable).toEqual(['host2']);
      const next = await reconciler.run(towline.commit(role('db', 'db 4')));
      expect(summaryOf(next).milliseconds).toBeLessThan(withoutWaiting);
    });
  },
);
