import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostName, largeFacts, largePolicy, roleName, templateText } from '../bench/large-fleet.ts';
import { openPlanner } from '../bench/planner.ts';
import { thousandFiles, thousandRole } from '../bench/thousand-files.ts';
import { fleetAvailable } from '../fleet/available.ts';
import { type Fleet, upFleet } from '../fleet/fleet.ts';
import { commitFiles, createRepository } from '../helpers/git-repository.ts';
import { TcpLink } from '../helpers/tcp-link.ts';
import { temporaryDirectories } from '../helpers/temporary-directory.ts';
import { quiet } from './driver/quiet.ts';
import type { ReconcilerProcess } from './driver/reconciler-process.ts';
import { type Line, summaryOf, Towline } from './driver/towline.ts';

const fresh = temporaryDirectories();

const hundredCommands = (round: number): Record<string, string> => ({
  'roles/many/role.ts': `import { command, defineRole } from 'towline';

export default defineRole({
  resources: () =>
    Array.from({ length: 100 }, (_, index) =>
      command(\`name \${index}\`, { argv: ['hostname'], env: { ROUND: '${round}' } }),
    ),
});
`,
});

describe.skipIf(fleetAvailable() !== undefined)('what crosses the wire to a host', () => {
  let fleet: Fleet;
  let link: TcpLink;
  let towline: Towline;
  let reconciler: ReconcilerProcess;

  /** Saves, waits for the run, and gives its lines and what went over the link meanwhile. */
  const saved = async (
    files: Record<string, string>,
  ): Promise<{ lines: readonly Line[]; up: number; roundTrips: number }> => {
    const mark = reconciler.lines.length;
    link.reset();
    towline.save(files);
    const lines = await reconciler.runAfter(mark, () => true);
    return { lines, up: link.crossed('up').bytes, roundTrips: Math.ceil(link.turns / 2) };
  };

  beforeAll(async () => {
    fleet = await upFleet({ count: 1 });
    const [host] = fleet.hosts;
    if (host === undefined) throw new Error('there is no host');
    link = await TcpLink.open({ host: host.address, port: host.port });
    towline = new Towline(fresh(), {
      'towline.toml': '[environments.lab]\nbranch = "main"\ninventory = "inventory.toml"\n',
      'inventory.toml': fleet.inventoryToml({
        user: 'root',
        hostVars: { host1: { towline_host: '127.0.0.1', towline_port: link.port } },
      }),
      ...thousandFiles(1),
      ...hundredCommands(0),
    });
    reconciler = towline.start('watch');
    await reconciler.runAfter(0, () => true);
  });
  afterAll(async () => {
    await reconciler?.stop();
    await link?.close();
    await fleet?.down();
  });

  it('is at most 30 kB and three round trips for 100 commands on a warm line', async () => {
    const { lines, up, roundTrips } = await saved(hundredCommands(1));
    expect(summaryOf(lines).resources).toMatchObject({ changed: 100, failed: 0 });
    expect(up).toBeLessThanOrEqual(30_000);
    expect(roundTrips).toBeLessThanOrEqual(3);
  });

  it('is at most 1.2 MiB for 1,000 files of 1 KiB', async () => {
    const { lines, up } = await saved(thousandRole(1));
    expect(summaryOf(lines).resources).toMatchObject({ changed: 1001, failed: 0 });
    expect(up).toBeGreaterThan(1000 * 1024 * 0.7);
    expect(up).toBeLessThanOrEqual(1.2 * 2 ** 20);
  });

  it('is nothing where the ledger knows', async () => {
    await reconciler.stop();
    await quiet(fleet);
    const before = fleet.hosts.map((host) => host.bytes());
    const again = await towline.run('apply', '--worktree', '--json');
    expect(summaryOf(again.lines).outcome, again.stderr).toBe('nothing-to-do');
    expect(fleet.hosts.map((host) => host.bytes())).toEqual(before);
  });
});

describe('a commit to one of many roles', () => {
  const size = { hosts: 300, roles: 5 };

  it('has that role evaluated once for all hosts that read the same values, and no other role', async () => {
    const folder = fresh();
    const [policy, state] = [join(folder, 'policy'), join(folder, 'state')];
    createRepository(policy, largePolicy(size));
    const filler = await openPlanner(policy, state);
    for (let index = 0; index < size.hosts; index += 1)
      void filler.store.facts.put(hostName(index), largeFacts(index), '2026-01-02T03:04:05.000Z');
    await filler.close();
    const planner = await openPlanner(policy, state);
    await planner.record((await planner.plan()).run);
    await planner.plan();
    const before = planner.evaluations();
    commitFiles(policy, { 'notes.md': 'nothing of a role\n' });
    expect((await planner.plan()).run.decision?.affected).toEqual([]);
    expect(planner.evaluations()).toBe(before);
    commitFiles(policy, { [`roles/${roleName(3)}/templates/app.conf.njk`]: templateText('second') });
    const { run } = await planner.plan();
    expect(run.decision?.affected).toHaveLength(size.hosts);
    expect(planner.evaluations() - before).toBe(distinctInputs(size.hosts));
    await planner.close();
  });

  /** Roles read the region, the processors, the family and a variable of one tier. */
  function distinctInputs(hosts: number): number {
    const inputs = Array.from({ length: hosts }, (_, index) => {
      const { os, hardware } = largeFacts(index);
      return [index % 5, hardware?.processors, os?.family, index % 8 === 3].join();
    });
    return new Set(inputs).size;
  }
});
