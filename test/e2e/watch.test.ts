import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fleetAvailable } from '../fleet/available.ts';
import { type Fleet, upFleet } from '../fleet/fleet.ts';
import { temporaryDirectories } from '../helpers/temporary-directory.ts';
import { finishedRuns, type ReconcilerProcess } from './driver/reconciler-process.ts';
import { fileOf, role, settings, smallPolicy } from './driver/small-policy.ts';
import { contactedIn, convergedIn, type Line, summaryOf, Towline } from './driver/towline.ts';

const fresh = temporaryDirectories();
const roleFile = 'roles/web/role.ts';

describe.skipIf(fleetAvailable() !== undefined)('watching files as they are saved, on OpenSSH hosts', () => {
  let fleet: Fleet;
  let towline: Towline;
  let watching: ReconcilerProcess;
  const content = (host: string): Promise<string> => fleet.host(host).readFile(fileOf('web'));
  /** The next finished run after some lines. */
  const next = (
    mark: number,
    fits: (run: readonly Line[]) => boolean = () => true,
  ): Promise<readonly Line[]> => watching.runAfter(mark, fits);

  beforeAll(async () => {
    fleet = await upFleet({ count: 2 });
    towline = new Towline(fresh(), { ...smallPolicy(fleet), ...settings(['base', 'web']) });
    watching = towline.start('watch');
    expect(convergedIn(await next(0))).toHaveLength(4);
  });
  afterAll(async () => {
    await watching?.stop();
    await fleet?.down();
  });

  it('applies a saved file, with no commit, to the hosts it concerns', async () => {
    const mark = watching.lines.length;
    towline.save(role('web', 'saved'));
    const run = await next(mark);
    expect(run).toContainEqual(expect.objectContaining({ type: 'run-started', trigger: 'edit' }));
    expect(convergedIn(run)).toEqual(['host1/web', 'host2/web']);
    expect(await content('host1')).toBe('saved plain\n');
    expect(towline.git('status', '--short')).toBe(`M ${roleFile}`);
  });

  it('takes every save of many, and ends with the last one', async () => {
    const mark = watching.lines.length;
    for (let count = 1; count <= 20; count += 1) {
      towline.save(role('web', `fast ${count}`));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await expect.poll(() => content('host2')).toBe('fast 20 plain\n');
    await expect.poll(() => content('host1')).toBe('fast 20 plain\n');
    for (const run of finishedRuns(watching.lines.slice(mark)))
      expect(['done', 'nothing-to-do']).toContain(summaryOf(run).outcome);
  });

  it('pushes nothing of a file that is only half written, and says what is wrong with it', async () => {
    const mark = watching.lines.length;
    const whole = role('web', 'after the half')[roleFile] ?? '';
    towline.save({ [roleFile]: whole.slice(0, whole.indexOf('file(') + 5) });
    const broken = await next(mark, isStalled);
    expect(summaryOf(broken).problem).toMatchObject({ code: 'policy.syntax', where: { file: roleFile } });
    expect(contactedIn(broken)).toEqual([]);
    expect(await content('host1')).toBe('fast 20 plain\n');
    const later = watching.lines.length;
    towline.save({ [roleFile]: whole });
    expect(convergedIn(await next(later))).toEqual(['host1/web', 'host2/web']);
    expect(await content('host1')).toBe('after the half plain\n');
  });

  it('takes files that come and go, and leaves what an editor keeps beside them', async () => {
    const mark = watching.lines.length;
    towline.save({ 'roles/web/.role.ts.swp': 'editor', 'roles/web/role.ts~': 'backup' });
    towline.save({
      [roleFile]: `import { defineRole, file } from 'towline';
export default defineRole({ resources: () => [file('${fileOf('web')}', { from: 'page.txt' })] });
`,
      'roles/web/files/page.txt': 'from a new file\n',
    });
    await next(mark, (run) => convergedIn(run).length === 2);
    expect(await content('host2')).toBe('from a new file\n');
    const gone = watching.lines.length;
    towline.git('clean', '-qfd', 'roles/web/files');
    const run = await next(gone, isStalled);
    expect(summaryOf(run).problem).toMatchObject({ code: 'policy.file-missing' });
    expect(await content('host2')).toBe('from a new file\n');
    towline.save({ 'roles/web/files/page.txt': 'from a new file\n' });
    await next(gone, (lines) => summaryOf(lines).outcome === 'nothing-to-do');
  });

  it('exits with 0 when everything has been quiet for the time asked for', async () => {
    expect(await watching.stop('SIGINT')).toBe(130);
    towline.git('checkout', '-q', '.');
    towline.save(role('web', 'the end'));
    watching = towline.start('watch', '--converged-timeout', '1');
    expect(await watching.ended(20_000)).toBe(0);
    expect(convergedIn(watching.lines)).toEqual(['host1/web', 'host2/web']);
    expect(await content('host1')).toBe('the end plain\n');
  });

  it('exits with 1 when what is saved is broken', async () => {
    towline.save({ [roleFile]: 'export default 1;\n' });
    watching = towline.start('watch', '--converged-timeout', '1');
    expect(await watching.ended(20_000)).toBe(1);
    expect(await content('host1')).toBe('the end plain\n');
  });
});

function isStalled(run: readonly Line[]): boolean {
  return summaryOf(run).outcome === 'stalled';
}
