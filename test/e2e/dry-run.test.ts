import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fleetAvailable } from '../fleet/available.ts';
import { type Fleet, upFleet } from '../fleet/fleet.ts';
import type { FleetHost } from '../fleet/host.ts';
import { temporaryDirectories } from '../helpers/temporary-directory.ts';
import { everyKindRole } from './driver/every-kind.ts';
import { convergedIn, type Files, summaryOf, Towline } from './driver/towline.ts';

const fresh = temporaryDirectories();

/** What logging in and sudo note in memory by themselves, whatever the program behind them does. */
const noise = /^\/run\/(sshd\.log|motd\.dynamic|sudo)\b/;

/** Everything a host keeps: its disk, and the file systems in memory that are not in the overlay. */
async function everything(host: FleetHost): Promise<object> {
  const look = ['-type', 'd', '-printf', '%p %m %u\n', '-o', '-printf', '%p %y %m %u %s %T@\n'];
  const listing = (await host.exec(['find', '/run', '/tmp', '/dev/shm', ...look])).stdout.split('\n');
  return { disk: host.overlayTree(), memory: listing.filter((line) => !noise.test(line)).sort() };
}

describe.skipIf(fleetAvailable() !== undefined)('looking without changing, on OpenSSH hosts', () => {
  let fleet: Fleet;
  let towline: Towline;
  const hosts = (): Promise<object[]> => Promise.all(fleet.hosts.map(everything));
  /** The policy, with this in front of every text of it. */
  const policy = (mark: string): Files =>
    Object.fromEntries(
      Object.entries(everyKindRole('all-kinds')).map(([path, text]) => [
        path,
        text
          .replaceAll('from the role', `${mark} from the role`)
          .replace('from a file', `${mark} from a file`),
      ]),
    );

  beforeAll(async () => {
    fleet = await upFleet({ count: 2, systemdStub: true, units: ['app.service'] });
    const byUser = {
      towline_ssh_username: 'deploy',
      towline_become: 'sudo',
      towline_become_username: 'root',
    };
    towline = new Towline(fresh(), {
      'towline.toml': '[environments.lab]\nbranch = "main"\ninventory = "inventory.toml"\n',
      'inventory.toml': fleet.inventoryToml({ user: 'root', hostVars: { host2: byUser } }),
      ...policy('1'),
    });
  });
  afterAll(() => fleet?.down());

  const looks = ['plan', 'check', 'check --force', 'drift'];

  it.each(looks)('%s changes nothing on hosts that nothing was applied to', async (look) => {
    const before = await hosts();
    const answer = await towline.run(...look.split(' '), '--json');
    // What was never applied cannot have drifted.
    expect(answer.status, answer.stdout + answer.stderr).toBe(look === 'drift' ? 0 : 2);
    expect(await hosts()).toEqual(before);
    for (const host of fleet.hosts) await expect.poll(() => host.agentPids()).toEqual([]);
  });

  it('check asks the hosts, and tells what is not known from what would change', async () => {
    const check = await towline.run('check', '--json');
    expect(convergedIn(check.lines)).toEqual(['host1/all-kinds', 'host2/all-kinds']);
    const { resources } = summaryOf(check.lines);
    expect(resources.changed).toBeGreaterThan(20);
    expect(resources.unknown).toBeGreaterThan(2);
    expect(resources.failed).toBe(0);
  });

  it('apply does what check announced', async () => {
    const applied = await towline.run('apply', '--json');
    expect(applied.status, applied.stdout.slice(-3000)).toBe(0);
    expect(await fleet.host('host2').readFile('/srv/app/made')).toBe('1 from the role\n');
  });

  it.each(looks)(
    '%s changes nothing where things differ from a newer policy and were tampered with',
    async (look) => {
      towline.commit(policy('2'));
      for (const host of fleet.hosts) {
        await host.exec(['rm', '-rf', '/srv/app/made', '/srv/app/current', '/srv/app/site/deep']);
        await host.writeFile('/srv/app/unwanted', 'here\n');
        await host.writeFile('/srv/app/site/extra', 'not in the policy\n');
        await host.exec(['chmod', '0777', '/srv/app']);
      }
      const before = await hosts();
      const answer = await towline.run(...look.split(' '), '--json');
      expect(answer.status, answer.stdout + answer.stderr).toBe(2);
      expect(await hosts()).toEqual(before);
      for (const host of fleet.hosts) await expect.poll(() => host.agentPids()).toEqual([]);
    },
  );

  it('drift names what was tampered with', async () => {
    const drift = await towline.run('drift');
    expect(drift.status).toBe(2);
    for (const name of [
      'directory:/srv/app ',
      'command:made',
      'link:/srv/app/current',
      'file:/srv/app/unwanted',
    ])
      expect(drift.stdout).toContain(name.trim());
  });
});
