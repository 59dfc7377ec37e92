import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fleetAvailable } from '../fleet/available.ts';
import { type Fleet, upFleet } from '../fleet/fleet.ts';
import { temporaryDirectories } from '../helpers/temporary-directory.ts';
import type { ReconcilerProcess } from './driver/reconciler-process.ts';
import { fileOf, role } from './driver/small-policy.ts';
import { contactedIn, convergedIn, type Files, summaryOf, Towline } from './driver/towline.ts';

const fresh = temporaryDirectories();

const settings = `[environments.production]
branch = "main"
inventory = "inventory/production.toml"

[environments.preview]
branch = "feature/*"
inventory = "inventory/preview.toml"
`;

describe.skipIf(fleetAvailable() !== undefined)('one environment per branch, on OpenSSH hosts', () => {
  let fleet: Fleet;
  let towline: Towline;
  let reconciler: ReconcilerProcess;

  /** The inventory of an environment: some of the fleet's hosts. */
  const hosts = (environment: string, ...names: string[]): Files => {
    const chosen = fleet.hosts.filter(({ name }) => names.includes(name));
    const lines = chosen.map(
      ({ name, address, hostKey }) =>
        `${name} = { towline_host = "${address}", towline_pinned_keys = ["${hostKey}"] }`,
    );
    const vars = `towline_ssh_username = "root"\ntowline_ssh_key = "${fleet.clientKeyFile}"\ntowline_host_keys = "pinned"`;
    return {
      [`inventory/${environment}.toml`]: `[hosts]\n${lines.join('\n')}\n\n[groups.all.vars]\n${vars}\n`,
    };
  };
  /** Commits on a branch, which is made where main is when it is not there. */
  const commitOn = (branch: string, files: Files): string => {
    const isThere = towline.git('branch', '--list', branch) !== '';
    towline.git('checkout', '-q', ...(isThere ? [] : ['-b']), branch, ...(isThere ? [] : ['main']));
    return towline.commit(files);
  };
  const content = (host: string): Promise<string> => fleet.host(host).readFile(fileOf('base'));

  beforeAll(async () => {
    fleet = await upFleet({ count: 3 });
    towline = new Towline(fresh(), {
      'towline.toml': settings,
      ...hosts('production', 'host1'),
      ...hosts('preview', 'host2'),
      ...role('base', 'base 1'),
    });
    reconciler = towline.start('run');
    expect(convergedIn(await reconciler.run(towline.git('rev-parse', 'HEAD')))).toEqual(['host1/base']);
  });
  afterAll(async () => {
    await reconciler?.stop();
    await fleet?.down();
  });

  it('makes a new branch an environment that runs on its own hosts', async () => {
    const run = await reconciler.run(commitOn('feature/blue', role('base', 'blue')));
    expect(run[0]).toMatchObject({ environment: 'preview/blue' });
    expect(convergedIn(run)).toEqual(['host2/base']);
    expect(await content('host2')).toBe('blue plain\n');
    expect(await content('host1')).toBe('base 1 plain\n');
  });

  it('lets a commit on one branch reach only the hosts of that branch', async () => {
    const before = fleet.host('host3').bytes();
    const main = await reconciler.run(commitOn('main', role('base', 'base 2')));
    expect(contactedIn(main)).toEqual(['host1']);
    const blue = await reconciler.run(commitOn('feature/blue', role('base', 'blue 2')));
    expect(contactedIn(blue)).toEqual(['host2']);
    expect([await content('host1'), await content('host2')]).toEqual(['base 2 plain\n', 'blue 2 plain\n']);
    expect(fleet.host('host3').bytes()).toEqual(before);
  });

  it('gives no branch rights that the trusted one did not give it', async () => {
    const widened = settings.replace('inventory/preview.toml', 'inventory/production.toml');
    const run = await reconciler.run(commitOn('feature/blue', { 'towline.toml': widened }));
    expect(summaryOf(run).outcome).toBe('nothing-to-do');
    expect(contactedIn(run)).toEqual([]);
  });

  it('refuses a branch a host that another environment has, names both, and contacts nobody', async () => {
    const run = await reconciler.run(commitOn('feature/red', { ...hosts('preview', 'host1', 'host3') }));
    expect(summaryOf(run)).toMatchObject({
      outcome: 'stalled',
      problem: {
        code: 'settings.host-claimed-twice',
        message: 'host host1 is claimed by the environments "preview/red" and "production"',
      },
    });
    expect(contactedIn(run)).toEqual([]);
    const status = await towline.status('preview/red');
    expect(status.stalled?.problems).toMatchObject([{ code: 'settings.host-claimed-twice' }]);
    expect(status.lastGood).toBeUndefined();
    expect((await towline.status('production')).stalled).toBeUndefined();
    const byHand = await towline.run('plan', '--env', 'preview/red', '--json');
    expect(byHand.stdout).toContain('settings.host-claimed-twice');
    expect((await towline.run('plan', '--env', 'production')).status).toBe(0);
  });

  it('lets a refused branch go on by itself when the host is free', async () => {
    const mark = reconciler.lines.length;
    await reconciler.run(commitOn('feature/red', hosts('preview', 'host2', 'host3')));
    expect((await towline.status('preview/red')).stalled?.problems[0]?.message).toContain('"preview/blue"');
    towline.git('checkout', '-q', 'main');
    towline.git('branch', '-D', 'feature/blue');
    const run = await reconciler.runAfter(mark, (lines) => convergedIn(lines).length === 2);
    expect(run[0]).toMatchObject({ environment: 'preview/red' });
    expect(convergedIn(run)).toEqual(['host2/base', 'host3/base']);
  });

  it('ends an environment with its branch, and leaves what it applied on the hosts', async () => {
    const blue = await towline.status('preview/blue');
    expect(blue.endedAt).toBeDefined();
    expect(blue.hosts.map(({ host }) => host)).toEqual(['host2']);
    expect((await towline.status('preview/red')).endedAt).toBeUndefined();
    const plan = await towline.run('plan', '--env', 'preview/blue');
    expect(plan.status).toBe(1);
    expect(plan.stderr).toContain('there is no environment preview/blue');
    expect(await content('host2')).toBe('base 2 plain\n');
  });

  it('lets a branch that is there again take up where it was', async () => {
    const run = await reconciler.run(
      commitOn('feature/blue', { ...hosts('preview'), ...role('base', 'blue 3') }),
    );
    expect(summaryOf(run).outcome).not.toBe('stalled');
    expect((await towline.status('preview/blue')).endedAt).toBeUndefined();
  });
});
