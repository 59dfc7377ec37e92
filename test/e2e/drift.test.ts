import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fleetAvailable } from '../fleet/available.ts';
import { type Fleet, upFleet } from '../fleet/fleet.ts';
import { temporaryDirectories } from '../helpers/temporary-directory.ts';
import type { ReconcilerProcess } from './driver/reconciler-process.ts';
import { type Files, type Line, summaryOf, Towline } from './driver/towline.ts';

const fresh = temporaryDirectories();
/** A schedule's finest step, and what a run may take. */
const scheduleSeconds = 75;

const roleText = (text: string): Files => ({
  'roles/app/role.ts': `import { command, defineRole, directory, file, line } from 'towline';

export default defineRole({
  resources: () => [
    directory('/srv/app', { mode: '0750' }),
    file('/srv/app/page', { content: '${text}\\n', mode: '0644', notify: 'note' }),
    line('/etc/hosts', { line: '192.0.2.1 example', match: ' example$' }),
  ],
  handlers: { note: () => command('note', { argv: ['sh', '-c', 'echo noted >> /srv/app/notes'] }) },
});
`,
});

describe.skipIf(fleetAvailable() !== undefined)('drift, on OpenSSH hosts', () => {
  let fleet: Fleet;
  let towline: Towline;
  let reconciler: ReconcilerProcess;

  const inventory = (...names: string[]): string => {
    const chosen = fleet.hosts.filter(({ name }) => names.includes(name));
    const hosts = chosen.map(
      ({ name, address, hostKey }) =>
        `${name} = { towline_host = "${address}", towline_pinned_keys = ["${hostKey}"] }`,
    );
    const vars = `towline_ssh_username = "root"\ntowline_ssh_key = "${fleet.clientKeyFile}"\ntowline_host_keys = "pinned"`;
    return `[hosts]\n${hosts.join('\n')}\n\n[groups.all.vars]\n${vars}\n`;
  };
  const settings = (schedule: string): Files => ({
    'towline.toml': `[environments.mended]
branch = "main"
inventory = "mended.toml"
drift = { mode = "correct", schedule = "${schedule}" }

[environments.watched]
branch = "main"
inventory = "watched.toml"
drift = { mode = "report", schedule = "${schedule}" }
`,
  });
  const page = (host: string): Promise<string> => fleet.host(host).readFile('/srv/app/page');
  /** All in one go, so that a scheduled run sees all of it or nothing. */
  const tamper = async (host: string): Promise<void> => {
    const script = 'sed -i /example/d /etc/hosts; chmod 666 /srv/app/page; echo tampered > /srv/app/page';
    expect((await fleet.host(host).exec(['sh', '-c', script])).status).toBe(0);
  };

  beforeAll(async () => {
    fleet = await upFleet({ count: 4 });
    towline = new Towline(fresh(), {
      ...settings('0 0 1 1 *'),
      'mended.toml': inventory('host1', 'host2'),
      'watched.toml': inventory('host3', 'host4'),
      ...roleText('page 1'),
    });
    for (const name of ['mended', 'watched']) {
      const applied = await towline.run('apply', '--env', name);
      expect(applied.status, applied.stdout + applied.stderr).toBe(0);
    }
  });
  afterAll(async () => {
    await reconciler?.stop();
    await fleet?.down();
  });

  it('is not there when nothing was tampered with', async () => {
    const drift = await towline.run('drift', '--env', 'mended');
    expect(drift.status, drift.stdout).toBe(0);
    expect(drift.stdout).toContain('no drift');
  });

  it('is reported with host and resource, and left as it is', async () => {
    await tamper('host2');
    const drift = await towline.run('drift', '--env', 'mended');
    expect(drift.status).toBe(2);
    for (const part of [
      'host2',
      'file:/srv/app/page',
      'mode',
      '9 bytes → 7 bytes',
      '0666 → 0644',
      '+192.0.2.1 example',
    ])
      expect(drift.stdout).toContain(part);
    expect(drift.stdout).not.toContain('host1');
    expect(await page('host2')).toBe('tampered\n');
    expect((await towline.run('plan', '--env', 'mended')).status).toBe(0);
  });

  it('is not looked for in a revision that nobody applied yet', async () => {
    towline.commit(roleText('page 2'));
    const drift = await towline.run('drift', '--env', 'mended', '--json');
    expect(summaryOf(drift.lines).hosts).toMatchObject({ changed: ['host2'], unchanged: ['host1'] });
  });

  it('is corrected or reported on schedule, also while the newest revision is broken', async () => {
    const good = towline.commit({ ...settings('* * * * *'), ...roleText('page 2') });
    reconciler = towline.start('run');
    await reconciler.until('both environments in force', (lines) => ends(lines).length >= 2 || undefined);
    expect(await Promise.all(['host1', 'host2', 'host3', 'host4'].map(page))).toEqual(
      Array(4).fill('page 2\n'),
    );
    const broken = towline.commit({ 'roles/app/role.ts': 'export default defineRole({\n' });
    await reconciler.run(broken);
    const mark = reconciler.lines.length;
    await tamper('host3');
    await tamper('host1');

    const mended = await reconciler.runAfter(mark, (run) => foundDrift('mended', run), scheduleSeconds);
    expect(summaryOf(mended)).toMatchObject({
      outcome: 'done',
      hosts: { changed: ['host1'], unchanged: ['host2'] },
    });
    expect(mended).toContainEqual(
      expect.objectContaining({ type: 'revision', revision: expect.objectContaining({ id: good }) }),
    );
    expect(await page('host1')).toBe('page 2\n');
    expect((await fleet.host('host1').exec(['stat', '-c', '%a', '/srv/app/page'])).stdout).toBe('644\n');
    expect((await fleet.host('host1').readFile('/etc/hosts')).match(/192\.0\.2\.1 example/g)).toHaveLength(1);

    const watched = await reconciler.runAfter(mark, (run) => foundDrift('watched', run), scheduleSeconds);
    expect(summaryOf(watched).hosts).toMatchObject({ changed: ['host3'], unchanged: ['host4'] });
    expect(await page('host3')).toBe('tampered\n');
    for (const name of ['mended', 'watched']) {
      const status = await towline.status(name);
      expect(status.lastGood?.id).toBe(good);
      expect(status.stalled?.problems).toMatchObject([{ code: 'policy.syntax' }]);
    }
  });
});

function ends(lines: readonly Line[]): Line[] {
  return lines.filter((line) => line.type === 'run-finished');
}

function foundDrift(environment: string, run: readonly Line[]): boolean {
  const [first] = run;
  const isDrift = first?.type === 'run-started' && first.trigger === 'drift';
  return isDrift && first.environment === environment && summaryOf(run).hosts.changed.length > 0;
}
