import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fleetAvailable } from '../fleet/available.ts';
import { type Fleet, upFleet } from '../fleet/fleet.ts';
import type { FleetHost } from '../fleet/host.ts';
import { temporaryDirectories } from '../helpers/temporary-directory.ts';
import { quiet } from './driver/quiet.ts';
import type { ReconcilerProcess } from './driver/reconciler-process.ts';
import { recorded } from './driver/recorded.ts';
import { fileOf, inventory, role, settings, smallPolicy } from './driver/small-policy.ts';
import { contactedIn, convergedIn, type Line, summaryOf, Towline } from './driver/towline.ts';

const fresh = temporaryDirectories();

describe.skipIf(fleetAvailable() !== undefined)(
  'commits under a running reconciler, on OpenSSH hosts',
  () => {
    let fleet: Fleet;
    let towline: Towline;
    let reconciler: ReconcilerProcess;
    const traffic = (): Map<string, unknown> => new Map(fleet.hosts.map((host) => [host.name, host.bytes()]));
    const content = (host: FleetHost | string, name: string): Promise<string> =>
      (typeof host === 'string' ? fleet.host(host) : host).readFile(fileOf(name));

    beforeAll(async () => {
      fleet = await upFleet({ count: 4 });
      towline = new Towline(fresh(), smallPolicy(fleet));
      const applied = await towline.run('apply', '--json');
      expect(applied.status, applied.stdout + applied.stderr).toBe(0);
      expect(convergedIn(applied.lines)).toHaveLength(8);
      await quiet(fleet);
    });
    afterAll(async () => {
      await reconciler?.stop();
      await fleet?.down();
    });

    it('contacts nobody when it starts and everything is in force', async () => {
      const before = traffic();
      reconciler = towline.start('run');
      const run = await reconciler.run(towline.git('rev-parse', 'HEAD'));
      expect(summaryOf(run).outcome).toBe('nothing-to-do');
      expect(contactedIn(run)).toEqual([]);
      expect(traffic()).toEqual(before);
    });

    it('contacts nobody for a commit that changes nothing for any host', async () => {
      const before = traffic();
      const run = await reconciler.run(towline.commit({ 'README.md': 'Policy of the lab, explained.\n' }));
      expect(summaryOf(run).outcome).toBe('nothing-to-do');
      expect(run).toContainEqual(expect.objectContaining({ type: 'revision', changedFiles: ['README.md'] }));
      expect(contactedIn(run)).toEqual([]);
      expect(traffic()).toEqual(before);
    });

    it('reaches only the hosts of the group whose role changed, with that role', async () => {
      const before = traffic();
      const run = await reconciler.run(towline.commit(role('web', 'web 2')));
      expect(convergedIn(run)).toEqual(['host1/web', 'host2/web']);
      expect(contactedIn(run)).toEqual(['host1', 'host2']);
      expect(reasonsIn(run)).toEqual(['policy-changed']);
      for (const host of ['host1', 'host2']) {
        expect(await content(host, 'web')).toBe('web 2 plain\n');
        expect(await content(host, 'base')).toBe('base 1 plain\n');
      }
      for (const host of ['host3', 'host4']) expect(traffic().get(host)).toEqual(before.get(host));
    });

    it('reaches only the host whose variable changed', async () => {
      await recorded(fleet);
      const before = traffic();
      const trees = ['host1', 'host2', 'host4'].map((name) => fleet.host(name).overlayTree());
      const run = await reconciler.run(towline.commit(inventory(fleet, { host3: { word: 'own' } })));
      expect(convergedIn(run)).toEqual(['host3/base', 'host3/db']);
      expect(contactedIn(run)).toEqual(['host3']);
      expect(reasonsIn(run)).toEqual(['variables-changed']);
      expect(await content('host3', 'db')).toBe('db 1 own\n');
      expect(traffic().get('host4')).toEqual(before.get('host4'));
      expect(['host1', 'host2', 'host4'].map((name) => fleet.host(name).overlayTree())).toEqual(trees);
    });

    it('takes commits as fast as they come and ends with the last one everywhere', async () => {
      const mark = reconciler.lines.length;
      for (const step of [2, 3, 4, 5]) towline.commit(role('db', `db ${step}`));
      const last = towline.commit(role('db', 'db 6'));
      await reconciler.run(last);
      expect(await content('host3', 'db')).toBe('db 6 own\n');
      expect(await content('host4', 'db')).toBe('db 6 plain\n');
      expect(contactedIn(reconciler.lines.slice(mark))).toEqual(['host3', 'host4']);
      expect((await towline.status()).lastGood?.id).toBe(last);
    });

    it('lets a host that is off during a commit catch up by itself, without holding up the others', async () => {
      const off = fleet.host('host2');
      const mark = reconciler.lines.length;
      await off.stop('refuse');
      const revision = towline.commit(role('web', 'web 3'));
      const run = await reconciler.run(revision);
      expect(summaryOf(run)).toMatchObject({
        outcome: 'failed',
        hosts: { changed: ['host1'], unreachable: ['host2'], failed: [] },
      });
      expect(await content('host1', 'web')).toBe('web 3 plain\n');
      const status = await towline.status();
      expect(status.lastGood?.id).toBe(revision);
      expect(status.stalled).toBeUndefined();
      const row = status.hosts.find(({ host }) => host === 'host2');
      expect(row).toMatchObject({ state: 'unreachable', problem: { disposition: 'retry' } });
      expect(status.hosts.filter(({ state }) => state === 'in-sync')).toHaveLength(3);

      await off.start();
      const isCaughtUp = (lines: readonly Line[]): boolean => isRetry(lines) && convergedIn(lines).length > 0;
      const retry = await reconciler.runAfter(mark, isCaughtUp, 40);
      expect(convergedIn(retry)).toEqual(['host2/web']);
      expect(await content(off, 'web')).toBe('web 3 plain\n');
      const healed = await towline.status();
      expect(healed.hosts.map(({ state }) => state)).toEqual(Array(4).fill('in-sync'));
    });

    it('releases what a removed role managed, leaves it on the hosts and names it', async () => {
      const run = await reconciler.run(towline.commit(settings(['base', 'web'])));
      expect(releasedIn(run)).toEqual(['host3/db file:/srv/db.txt', 'host4/db file:/srv/db.txt']);
      expect(convergedIn(run)).toEqual([]);
      expect(await content('host4', 'db')).toBe('db 6 plain\n');
      const rows = (await towline.status()).hosts.filter(({ roles }) => roles.includes('db'));
      expect(rows).toEqual([]);
      const [newest] = JSON.parse((await towline.run('history', '--json')).stdout) as { run: string }[];
      expect((await towline.run('show', newest?.run ?? '')).stdout).toContain('file:/srv/db.txt');
    });

    it('releases the roles of a group that a host leaves', async () => {
      const run = await reconciler.run(
        towline.commit(inventory(fleet, { host3: { word: 'own' } }, { web: ['host1'], db: ['host3'] })),
      );
      expect(releasedIn(run)).toEqual(['host2/web file:/srv/web.txt']);
      expect(contactedIn(run)).toEqual([]);
      expect(await content('host2', 'web')).toBe('web 3 plain\n');
    });

    it('ends when asked to, and leaves nothing running on a host', async () => {
      expect(await reconciler.stop()).toBe(0);
      await expect.poll(() => fleet.hosts.flatMap((host) => host.agentPids()), { timeout: 5000 }).toEqual([]);
    });
  },
);

function reasonsIn(lines: readonly Line[]): string[] {
  const pairs = lines.flatMap((line) => (line.type === 'planned' ? line.affected : []));
  return [...new Set(pairs.map(({ reason }) => reason))];
}

function releasedIn(lines: readonly Line[]): string[] {
  return lines
    .flatMap((line) =>
      line.type === 'released' ? [`${line.host}/${line.role} ${line.resources.join(' ')}`] : [],
    )
    .sort();
}

function isRetry(lines: readonly Line[]): boolean {
  return lines.some((line) => line.type === 'run-started' && line.trigger === 'retry');
}
