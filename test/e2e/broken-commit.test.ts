import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Problem } from '../../agent/protocol/problem.ts';
import { fleetAvailable } from '../fleet/available.ts';
import { type Fleet, upFleet } from '../fleet/fleet.ts';
import { temporaryDirectories } from '../helpers/temporary-directory.ts';
import type { ReconcilerProcess } from './driver/reconciler-process.ts';
import { recorded } from './driver/recorded.ts';
import { inventory, role, settings, smallPolicy } from './driver/small-policy.ts';
import { contactedIn, convergedIn, type Files, type Line, summaryOf, Towline } from './driver/towline.ts';

const fresh = temporaryDirectories();

/** A role file around `inside`, which begins on line 4. */
const written = (inside: string): Files => ({
  'roles/web/role.ts': `import { defineRole, file, template } from 'towline';

export default defineRole({
${inside}
});
`,
});
const template = (text: string): Files => ({
  ...written(`  resources: () => [template('/srv/web.txt', { from: 'web.njk' })],`),
  'roles/web/templates/web.njk': text,
});

interface Case {
  readonly what: string;
  readonly files: (fleet: Fleet) => Files;
  readonly problem: object;
}

const cases: readonly Case[] = [
  {
    what: 'a syntax error in a role',
    files: () => written('  resources: () => [file('),
    problem: { code: 'policy.syntax', where: { file: 'roles/web/role.ts', line: 5, column: 1 } },
  },
  {
    what: 'a parameter of the wrong type',
    files: () => written(`  resources: () => [file('/srv/web.txt', { content: 7 as never })],`),
    problem: {
      code: 'policy.bad-parameter',
      where: { file: 'roles/web/role.ts', line: 4, column: 21, resource: 'file:/srv/web.txt' },
    },
  },
  {
    what: 'an unknown parameter',
    files: () => written(`  resources: () => [file('/srv/web.txt', { contents: 'x' } as never)],`),
    problem: {
      code: 'policy.unknown-parameter',
      message: expect.stringContaining('content'),
      where: { file: 'roles/web/role.ts', line: 4, column: 21 },
    },
  },
  {
    what: 'a host in targets that the inventory does not have',
    files: () => written(`  targets: { hosts: ['host9'] },\n  resources: () => [],`),
    problem: {
      code: 'inventory.no-match',
      message: expect.stringContaining('host9'),
      where: { file: 'roles/web/role.ts', role: 'web' },
    },
  },
  {
    what: 'a template with wrong syntax',
    files: () => template('first\n{% if %}\n'),
    problem: {
      code: 'policy.template-syntax',
      where: { file: 'roles/web/templates/web.njk', line: 2, column: expect.any(Number) },
    },
  },
  {
    what: 'a template with a name that nothing defines',
    files: () => template('first\nand {{ missing }}\n'),
    problem: {
      code: 'policy.template-undefined',
      where: { file: 'roles/web/templates/web.njk', line: 2, column: 8 },
    },
  },
  {
    what: 'an inventory that is not TOML',
    files: (fleet) => ({ 'inventory.toml': `${inventory(fleet)['inventory.toml']}\nnot toml\n` }),
    problem: {
      code: expect.stringContaining('inventory.'),
      where: { file: 'inventory.toml', line: expect.any(Number), column: expect.any(Number) },
    },
  },
  {
    what: 'a role that loops for ever',
    files: () => written('  resources: () => {\n    for (;;);\n  },'),
    problem: { code: 'policy.timeout', where: { role: 'web' } },
  },
  {
    what: 'an environment with a role that is not there',
    files: () => settings(['base', 'web', 'wbe']),
    problem: { code: 'policy.role-missing', message: expect.stringContaining('wbe') },
  },
];

describe.skipIf(fleetAvailable() !== undefined)('a broken commit', () => {
  let fleet: Fleet;
  let towline: Towline;
  let reconciler: ReconcilerProcess;
  let good: string;

  beforeAll(async () => {
    fleet = await upFleet({ count: 2 });
    towline = new Towline(fresh(), { ...smallPolicy(fleet), ...settings(['base', 'web']) });
    good = towline.git('rev-parse', 'HEAD');
    reconciler = towline.start('run');
    expect(convergedIn(await reconciler.run(good))).toHaveLength(4);
    await recorded(fleet);
  });
  afterAll(async () => {
    await reconciler?.stop();
    await fleet?.down();
  });

  /** Takes the repository back to the good tree with one broken thing in it. */
  const breakIt = (files: Files): string => {
    towline.git('checkout', '-q', good, '--', '.');
    return towline.commit(files);
  };

  it.each(cases)(
    'with $what leaves the last good revision in force and says why',
    async ({ files, problem }) => {
      const trees = fleet.hosts.map((host) => host.overlayTree());
      const broken = breakIt(files(fleet));
      const run = await reconciler.run(broken, 30);
      expect(summaryOf(run)).toMatchObject({ outcome: 'stalled', problem });
      expect(problemsIn(run)).toContainEqual(expect.objectContaining({ hint: expect.any(String) }));
      expect(contactedIn(run)).toEqual([]);
      const status = await towline.status();
      expect(status).toMatchObject({
        lastGood: { id: good },
        seen: { id: broken },
        stalled: { problems: [problem] },
      });
      expect(fleet.hosts.map((host) => host.overlayTree())).toEqual(trees);
    },
  );

  it('says all its problems at once', async () => {
    const run = await reconciler.run(
      breakIt({
        ...written(`  resources: () => [file('/srv/web.txt', { content: 7 as never, mod: '1' } as never)],`),
        ...role('base', `$\{nothing.here}`),
      }),
    );
    expect(
      problemsIn(run)
        .map(({ code }) => code)
        .sort(),
    ).toEqual(['policy.bad-parameter', 'policy.role-failed', 'policy.unknown-parameter']);
  });

  it('lets drift be looked for against the last good revision meanwhile', async () => {
    expect((await towline.run('drift')).status).toBe(0);
    await fleet.host('host2').writeFile('/srv/web.txt', 'tampered\n');
    const drift = await towline.run('drift', '--json');
    expect(drift.status, drift.stdout).toBe(2);
    expect(summaryOf(drift.lines).hosts).toMatchObject({ changed: ['host2'], unchanged: ['host1'] });
    const status = await towline.status();
    expect(status.lastGood?.id).toBe(good);
    expect(status.stalled).toBeDefined();
  });

  it('survives a restart of the reconciler as it is', async () => {
    await reconciler.stop();
    reconciler = towline.start('run');
    const run = await reconciler.run(towline.git('rev-parse', 'HEAD'));
    expect(summaryOf(run).outcome).toBe('stalled');
    expect(await towline.status()).toMatchObject({ lastGood: { id: good } });
  });

  it('is cleared by a good one, which is applied', async () => {
    const mended = breakIt(role('web', 'web 2'));
    const run = await reconciler.run(mended);
    expect(convergedIn(run)).toEqual(['host1/web', 'host2/web']);
    const status = await towline.status();
    expect(status.stalled).toBeUndefined();
    expect(status.lastGood?.id).toBe(mended);
    expect(await fleet.host('host2').readFile('/srv/web.txt')).toBe('web 2 plain\n');
  });
});

function problemsIn(lines: readonly Line[]): Problem[] {
  return lines.flatMap((line) => (line.type === 'problem' ? [line.problem] : []));
}
