import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fleetAvailable } from '../fleet/available.ts';
import { type Fleet, upFleet } from '../fleet/fleet.ts';
import { temporaryDirectories } from '../helpers/temporary-directory.ts';
import { everyKindContent, everyKindRole } from './driver/every-kind.ts';
import { quiet } from './driver/quiet.ts';
import { contactedIn, convergedIn, summaryOf, Towline } from './driver/towline.ts';

const fresh = temporaryDirectories();

describe.skipIf(fleetAvailable() !== undefined)('a policy with every kind on three OpenSSH hosts', () => {
  let fleet: Fleet;
  let towline: Towline;

  beforeAll(async () => {
    fleet = await upFleet({ count: 3, systemdStub: true, units: ['app.service'] });
    towline = new Towline(fresh(), {
      'towline.toml': '[environments.lab]\nbranch = "main"\ninventory = "inventory.toml"\n',
      'inventory.toml': fleet.inventoryToml({ user: 'root' }),
      ...everyKindRole('all-kinds'),
    });
  });
  afterAll(() => fleet?.down());

  it('says beforehand what it will do, and contacts nobody for it', async () => {
    const before = fleet.hosts.map((host) => host.bytes());
    const plan = await towline.run('plan');
    expect(plan.status, plan.stderr).toBe(2);
    for (const host of fleet.hosts) expect(plan.stdout).toContain(host.name);
    expect(fleet.hosts.map((host) => host.bytes())).toEqual(before);
  });

  it('brings every kind into force on every host', async () => {
    const applied = await towline.run('apply', '--json');
    expect(applied.status, applied.stdout.slice(-3000) + applied.stderr).toBe(0);
    expect(convergedIn(applied.lines)).toEqual(['host1/all-kinds', 'host2/all-kinds', 'host3/all-kinds']);
    expect(summaryOf(applied.lines)).toMatchObject({
      outcome: 'done',
      hosts: { changed: ['host1', 'host2', 'host3'] },
      resources: { failed: 0, unknown: 0 },
    });
    for (const host of fleet.hosts) {
      for (const [path, content] of Object.entries(everyKindContent(host.name)))
        expect(await host.readFile(`/srv/app/${path}`), `${path} on ${host.name}`).toBe(content);
      const look = async (...argv: string[]): Promise<string> => (await host.exec(argv)).stdout.trim();
      expect(await look('stat', '-c', '%U:%G %a', '/srv/app')).toBe('app:app 750');
      expect(await look('id', 'app')).toContain('uid=7801(app) gid=7801(app)');
      expect(await look('tail', '-n1', '/etc/hosts')).toBe('192.0.2.1 example');
      expect(await look('grep', '-c', 'export APP=1', '/etc/profile')).toBe('1');
      expect(await look('grep', '-c', ' ann$', '/home/deploy/.ssh/authorized_keys')).toBe('1');
      expect(await look('systemctl', 'is-active', 'app')).toBe('active');
    }
  });

  it('leaves no process, no lock and no temporary file on a host', async () => {
    for (const host of fleet.hosts) {
      await expect.poll(() => host.agentPids()).toEqual([]);
      const found = await host.exec(['find', '/root', '/tmp', '/run', '/srv', '-name', '*towline*']);
      expect(found.stdout.split('\n').filter((path) => path !== '' && !path.startsWith('/run/sshd'))).toEqual(
        [],
      );
    }
  });

  it('sends nothing to any host when there is nothing to do', async () => {
    const logins = (): Promise<string[]> => Promise.all(fleet.hosts.map((h) => h.readFile('/run/sshd.log')));
    await quiet(fleet);
    const before = { bytes: fleet.hosts.map((host) => host.bytes()), logins: await logins() };
    const again = await towline.run('apply', '--json');
    expect(again.status, again.stderr).toBe(0);
    expect(summaryOf(again.lines).outcome).toBe('nothing-to-do');
    expect(contactedIn(again.lines)).toEqual([]);
    expect({ bytes: fleet.hosts.map((host) => host.bytes()), logins: await logins() }).toEqual(before);
  });

  it('finds nothing to change when the hosts are asked all the same', async () => {
    const drift = await towline.run('drift', '--json');
    expect(drift.status, drift.stdout.slice(-3000)).toBe(0);
    expect(convergedIn(drift.lines)).toHaveLength(3);
    const forced = await towline.run('apply', '--force', '--json');
    expect(forced.status, forced.stdout.slice(-3000)).toBe(0);
    expect(summaryOf(forced.lines)).toMatchObject({
      resources: { changed: 0 },
      hosts: { changed: [], unchanged: ['host1', 'host2', 'host3'] },
    });
    expect(await fleet.host('host1').readFile('/srv/app/notes')).toBe('noted\n');
  });
});
