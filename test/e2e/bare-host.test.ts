import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fleetAvailable } from '../fleet/available.ts';
import { type Fleet, type FleetOptions, upFleet } from '../fleet/fleet.ts';
import { temporaryDirectories } from '../helpers/temporary-directory.ts';
import { role, settings } from './driver/small-policy.ts';
import { type Answer, type Line, summaryOf, Towline } from './driver/towline.ts';

const fresh = temporaryDirectories();
const options: FleetOptions = { count: 4, names: ['bare', 'poor', 'musl', 'old'], node: false };

type Shipping = Extract<Line, { type: 'host-runtime' }>;

function shipped({ lines }: Answer, host: string): Shipping[] {
  return lines.filter((line): line is Shipping => line.type === 'host-runtime' && line.host === host);
}

function problemsOf({ lines }: Answer): Record<string, string> {
  return Object.fromEntries(
    lines.flatMap((line) => (line.type === 'host-failed' ? [[line.host, line.problem.code]] : [])),
  );
}

describe.skipIf(fleetAvailable() !== undefined)('hosts with sshd and sh and no Node', () => {
  let fleet: Fleet;
  let towline: Towline;

  beforeAll(async () => {
    fleet = await upFleet(options);
    const program = (text: string): string => `#!/bin/sh\n${text}\n`;
    await fleet.host('poor').exec(['rm', '/usr/bin/zstd', '/usr/bin/xz', '/usr/bin/sha256sum']);
    await fleet.host('musl').writeFile('/usr/local/bin/getconf', program('exit 1'), '0755');
    const says = 'echo "musl libc (x86_64)" >&2; echo "Version 1.2.4" >&2; exit 1';
    await fleet.host('musl').writeFile('/usr/local/bin/ldd', program(says), '0755');
    await fleet.host('old').writeFile('/usr/local/bin/getconf', program('echo glibc 2.17'), '0755');
    towline = new Towline(fresh(), {
      ...settings(['base']),
      'inventory.toml': fleet.inventoryToml({ user: 'deploy', vars: { towline_become: 'sudo' } }),
      ...role('base', 'base 1'),
    });
  });
  afterAll(() => fleet?.down());

  it('are left as they are by a dry run, which says that an apply would ship a Node', async () => {
    const host = fleet.host('bare');
    const before = host.overlayTree();
    const check = await towline.run('check', '--json', '--limit-hosts', 'bare');
    expect(check.status).toBe(1);
    expect(problemsOf(check)).toEqual({ bare: 'runtime.would-ship' });
    expect(host.overlayTree()).toEqual(before);
    const facts = await towline.run('facts', 'bare');
    expect([facts.status, facts.stderr]).toEqual([1, expect.stringContaining('towline apply')]);
  });

  it('get one with their first apply, told beforehand, unless it cannot run there', async () => {
    const applied = await towline.run('apply', '--json');
    expect(summaryOf(applied.lines).hosts).toMatchObject({
      changed: ['bare', 'poor'],
      failed: ['musl', 'old'],
    });
    expect(problemsOf(applied)).toEqual({ musl: 'runtime.musl', old: 'runtime.libc-too-old' });
    const old = applied.lines.find((line) => line.type === 'host-failed' && line.host === 'old');
    expect(JSON.stringify(old)).toContain('glibc 2.17, and the Node to ship needs 2.28');
    for (const name of ['bare', 'poor']) {
      const stages = shipped(applied, name).map(({ stage }) => stage);
      expect(stages.filter((stage) => stage !== 'sends' && stage !== 'prepares')).toEqual(['begins', 'done']);
      expect(stages.filter((stage) => stage === 'sends').length).toBeGreaterThan(20);
      expect(await fleet.host(name).readFile('/srv/base.txt')).toBe('base 1 plain\n');
      const found = await fleet.host(name).exec(['find', '/root/.cache/towline', '-mindepth', '1']);
      expect(found.stdout.trim().split('\n').sort()).toEqual([
        expect.stringMatching(/\/[0-9a-f]{16}$/),
        expect.stringMatching(/\/[0-9a-f]{16}\/node$/),
      ]);
    }
    const [bare, poor] = ['bare', 'poor'].map((name) => shipped(applied, name).at(-1)?.size ?? 0);
    expect(poor).toBeGreaterThan(bare ?? 0);
    for (const name of ['musl', 'old']) {
      expect(shipped(applied, name)).toEqual([]);
      const found = await fleet.host(name).exec(['find', '/root', '-name', 'node']);
      expect(found.stdout).toBe('');
    }
  });

  it('find it by themselves the next time, also for a dry run', async () => {
    const again = await towline.run('apply', '--json', '--force', '--limit-hosts', 'bare,poor');
    expect(again.status, again.stdout.slice(-2000)).toBe(0);
    expect(shipped(again, 'bare')).toEqual([]);
    const check = await towline.run('check', '--json', '--limit-hosts', 'bare,poor');
    expect(check.status).toBe(0);
  });

  it('keep nothing with --no-cache, and a person reads what is sent', async () => {
    const host = fleet.host('bare');
    await host.exec(['rm', '-rf', '/root/.cache']);
    const ran = await towline.run('exec', 'bare', '--no-cache', '--', 'hostname');
    expect(ran.stdout).toContain('bare');
    expect(ran.stderr).toMatch(
      /bare: sends Node 24[\d.]+ \(linux-x64\), \d+ MB, to ~\/.cache\/towline for this time only: no Node was found/,
    );
    const found = await host.exec(['find', '/root/.cache/towline', '-mindepth', '1']);
    expect(found.stdout).toBe('');
    towline.commit(role('base', 'base 2'));
    const plain = await towline.run('apply', '--limit-hosts', 'bare');
    expect(plain.stdout).toMatch(
      /bare: sends Node [\d.]+ \(linux-x64\), \d+ MB, to ~\/.cache\/towline: no Node/,
    );
    expect(plain.stdout).toMatch(/bare: has Node/);
    expect(await host.readFile('/srv/base.txt')).toBe('base 2 plain\n');
  });
});
