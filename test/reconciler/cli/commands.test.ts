import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { openStore } from '../../../reconciler/state/open-store.ts';
import { temporaryDirectories } from '../../helpers/temporary-directory.ts';
import { fileRole, SmallFleet } from '../flow/small-fleet.ts';
import { type Ended, jsonLines, type Place, towline } from './in-process.ts';

const fresh = temporaryDirectories();
const settings = `[environments.test]
branch = "main"
inventory = "inventory.toml"
`;
const site = (content: string): string => `import { defineRole, file } from 'towline'
export default defineRole({
  targets: { hosts: ['web-*'] },
  variables: { colour: 'blue' },
  resources: ({ vars }) => [
    file(vars.root + '/site', { content: ${content}, tags: ['quick'] }),
    file(vars.root + '/colour', { content: String(vars.colour) }),
  ],
})
`;
let fleet: SmallFleet;
let place: Place;

beforeAll(async () => {
  fleet = await SmallFleet.start(fresh(), ['web-1', 'web-2', 'db-1'], {
    'towline.toml': settings,
    'roles/base/role.ts': fileRole('base', `'one'`),
    'roles/site/role.ts': site(`'one'`),
  });
  place = { directory: fleet.repository, state: fresh() };
});
afterAll(() => fleet.stop());

const run = (...argv: string[]): Promise<Ended> => towline(argv, place);
const read = (host: string, file: string): string => readFileSync(join(fleet.host(host).root, file), 'utf8');

describe('the commands, from an empty state on', { timeout: 30_000 }, () => {
  it('validates, and says what is valid', async () => {
    expect(await run('validate')).toEqual({ status: 0, stdout: '', stderr: 'valid: test\n' });
  });

  it('plans without contacting anybody, and ends with 2', async () => {
    const planned = await run('plan');
    expect(planned).toMatchObject({ status: 2, stderr: '' });
    expect(planned.stdout).toContain('site');
    const [document] = jsonLines((await run('plan', '--json')).stdout);
    expect(document).toMatchObject({ environment: 'test', pairs: { length: 5 } });
    expect(fleet.hosts.map(({ logins }) => logins)).toEqual([0, 0, 0]);
    expect(readdirSync(place.state)).toEqual([]);
  });

  it('checks on the hosts, ends with 2 and changes nothing', async () => {
    const checked = await run('check', '--limit-hosts', 'web-1', '--json');
    expect(checked.status).toBe(2);
    expect(jsonLines(checked.stdout).at(-1)).toMatchObject({
      type: 'run-finished',
      summary: { outcome: 'done', resources: { changed: 3 } },
    });
    expect(existsSync(join(fleet.host('web-1').root, 'site'))).toBe(false);
    expect(fleet.hosts.map(({ logins }) => logins)).toEqual([1, 0, 0]);
  });

  it('shows an empty state as such', async () => {
    for (const command of ['status', 'history']) expect((await run(command)).status).toBe(0);
    const shown = await run('show');
    expect(shown.status).toBe(1);
    expect(shown.stderr).toContain('cli.unknown-run');
  });

  it('applies under limits and tags what they leave, and only that', async () => {
    const tagged = await run('apply', '--limit-hosts', 'web-1,db-*', '--tags', 'quick');
    expect(tagged.status).toBe(0);
    expect([read('web-1', 'site'), existsSync(join(fleet.host('web-1').root, 'colour'))]).toEqual([
      'one',
      false,
    ]);
    const skipped = await run(
      'apply',
      '--limit-groups',
      'fleet',
      '--limit-hosts',
      'web-1',
      '--skip-tags',
      'quick',
    );
    expect(skipped.status).toBe(0);
    expect(read('web-1', 'colour')).toBe('blue');
    expect(existsSync(join(fleet.host('web-2').root, 'site'))).toBe(false);
  });

  it('applies the rest without control characters when nobody looks, and then has nothing to do', async () => {
    const applied = await run('apply');
    expect([applied.status, applied.stderr, applied.stdout]).toEqual([0, '', expect.any(String)]);
    expect(applied.stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
    expect(read('db-1', 'base')).toBe('one');
    const again = await run('apply', '--json');
    expect(again.status).toBe(0);
    expect(jsonLines(again.stdout).at(-1)).toMatchObject({ summary: { outcome: 'nothing-to-do' } });
    expect((await run('plan')).status).toBe(0);
    expect((await run('check', '--force')).status).toBe(0);
  });

  it('paints a terminal unless it is asked not to', async () => {
    const onTerminal = { ...place, terminal: true };
    const painted = await towline(['status'], onTerminal);
    expect(painted.stdout).toContain('\u001b[');
    for (const [argv, environment] of [
      [['status', '--no-color'], {}],
      [['status'], { NO_COLOR: '1' }],
    ] as const)
      expect((await towline(argv, { ...onTerminal, environment })).stdout).not.toContain('\u001b[');
  });

  it('tells status, history, a run and an explanation of what was applied', async () => {
    const [status] = jsonLines((await run('status', '--json')).stdout) as unknown as [unknown[]];
    expect(status).toMatchObject([
      { name: 'test', hosts: { length: 3 }, lastGood: { id: expect.any(String) } },
    ]);
    expect((await run('status', '-v')).stdout).toContain('web-2');
    const runs = jsonLines((await run('history', '--json', '-n', '1')).stdout)[0] as unknown as {
      run: string;
    }[];
    expect(runs).toHaveLength(1);
    const id = runs[0]?.run ?? '';
    expect(jsonLines((await run('show', id, '--json')).stdout)[0]).toMatchObject({ record: { run: id } });
    expect((await run('show')).stdout).toContain(id);
    expect((await run('show', 'nothing')).status).toBe(1);
    expect((await run('history', '--host', 'db-1')).stdout).toContain('test');
    const explained = await run('explain', 'web-1', 'site');
    expect(explained.status).toBe(0);
    expect(explained.stdout).toContain('roles/site/role.ts');
    const resource = `file:${join(fleet.host('web-1').root, 'site')}`;
    expect(jsonLines((await run('explain', 'web-1', 'site', resource, '--json')).stdout)[0]).toMatchObject({
      role: 'site',
      resources: [{ resource }],
    });
    expect((await run('explain', 'db-1', 'site')).stdout).toContain('do not match');
  });

  it('asks hosts for facts, answers and programs', async () => {
    const [facts] = jsonLines((await run('facts', 'web-1', '--json')).stdout);
    expect(facts).toHaveProperty('os');
    expect((await run('facts', 'web-1')).stdout).toContain('os');
    const [answers] = jsonLines((await run('ping', '--json')).stdout);
    const measured = expect.any(Number);
    expect(answers).toMatchObject(
      ['web-1', 'web-2', 'db-1'].map((host) => ({
        host,
        hops: [{ host, kind: 'ssh', setUpMilliseconds: measured, roundTripMilliseconds: measured }],
        milliseconds: measured,
        connectMilliseconds: measured,
      })),
    );
    expect((await run('ping', '@fleet')).status).toBe(0);
    const echoed = await run('exec', 'web-*', '--', 'printf', '%s\\n%s', 'a', 'b\u001b[2J');
    expect(echoed.status).toBe(0);
    expect(echoed.stdout).toMatch(/^web-1 {2}a$/m);
    expect(echoed.stdout).not.toContain('\u001b');
    const failed = await run('exec', 'db-1', '--json', '--', 'sh', '-c', 'echo no >&2; exit 3');
    expect(failed.status).toBe(1);
    expect(jsonLines(failed.stdout)).toEqual([
      { host: 'db-1', stream: 'stderr', line: 'no' },
      { host: 'db-1', status: 3, signal: null },
    ]);
    expect((await run('exec', 'db-1', '--', 'sh', '-c', 'exit 3')).stderr).toContain('status 3');
    expect((await run('exec', 'db-1', '--', '/no/such/program')).status).toBe(1);
  });

  it('shows a line that a host never ends', async () => {
    const endless = await run('exec', 'db-1', '--', 'sh', '-c', 'head -c 200000 /dev/zero | tr "\\\\0" x');
    const lines = endless.stdout.trim().split('\n');
    expect(lines.length).toBeGreaterThan(1);
    expect(lines.map((line) => line.replace('db-1  ', '').length).reduce((a, b) => a + b)).toBe(200_000);
  });

  it('shows the inventory with variables and their places, never with passwords', async () => {
    const shown = await run('inventory', 'web-*');
    expect(shown.stdout).toContain('inventory.toml');
    expect(shown.stdout).not.toContain('db-1');
    expect(jsonLines((await run('inventory', '--json')).stdout)[0]).toMatchObject({ hosts: { length: 3 } });
  });

  it('takes variables from the command line and from files, the later before the earlier', async () => {
    const file = join(fresh(), 'vars.json');
    writeFileSync(file, JSON.stringify({ colour: 'green' }));
    const toml = file.replace('.json', '.toml');
    writeFileSync(toml, 'colour = "red"\n');
    expect((await run('apply', '--limit-hosts', 'web-1', '-e', `@${file}`)).status).toBe(0);
    expect(read('web-1', 'colour')).toBe('green');
    await run('apply', '--limit-hosts', 'web-1', '-e', 'colour=white', '-e', `@${toml}`);
    expect(read('web-1', 'colour')).toBe('red');
    await run('apply', '--limit-hosts', 'web-1', '-e', 'colour=7');
    expect(read('web-1', 'colour')).toBe('7');
    await run('apply', '--limit-hosts', 'web-1');
    expect(read('web-1', 'colour')).toBe('blue');
  });

  it('refuses variables it cannot read, without repeating them', async () => {
    const file = join(fresh(), 'secret.json');
    writeFileSync(file, '{"password": hunter2');
    const toml = file.replace('.json', '.toml');
    writeFileSync(toml, 'ok = 1\npassword = hunter2');
    for (const argument of [`@${file}`, `@${toml}`, '@/no/such/file', 'nonsense']) {
      const refused = await run('plan', '-e', argument);
      expect(refused.status).toBe(64);
      expect(refused.stderr).not.toContain('hunter2');
    }
    expect((await run('plan', '-e', `@${toml}`)).stderr).toContain(':2:');
  });

  it('reports drift with 2 and leaves it, and corrects it by apply --force', async () => {
    const path = join(fleet.host('db-1').root, 'base');
    writeFileSync(path, 'by hand');
    const drift = await run('drift', '--json');
    expect(drift.status).toBe(2);
    expect(read('db-1', 'base')).toBe('by hand');
    expect((await run('drift', '--limit-hosts', 'web-*')).status).toBe(0);
    expect((await run('apply', '--force', '--limit-hosts', 'db-1')).status).toBe(0);
    expect(read('db-1', 'base')).toBe('one');
  });

  it('looks at files that are not committed with --worktree, and at older ones with --rev', async () => {
    const path = join(fleet.repository, 'roles/base/role.ts');
    writeFileSync(path, fileRole('base', `'draft'`));
    expect((await run('plan')).status).toBe(0);
    const planned = await run('plan', '--worktree', '--json');
    expect(planned.status).toBe(2);
    expect(jsonLines(planned.stdout)[0]).toMatchObject({ pairs: [{ reason: 'policy-changed' }, {}, {}] });
    writeFileSync(path, fileRole('base', `'one'`));
    const before = fleet.commit({ 'roles/site/role.ts': site(`'two'`) });
    fleet.commit({ 'roles/site/role.ts': site(`'one'`) });
    expect((await run('plan', '--rev', before)).status).toBe(2);
    expect((await run('plan', '--rev', 'f'.repeat(40))).status).toBe(1);
  });

  it('ends with 1 when a host fails, and goes to the failed ones only when asked', async () => {
    writeFileSync(join(fleet.host('web-2').root, 'blocked'), '');
    fleet.commit({
      'roles/base/role.ts': fileRole('base', `'two'`).replace(
        `'/base'`,
        `(host.name === 'web-2' ? '/blocked/base' : '/base')`,
      ),
    });
    const applied = await run('apply', '--json');
    expect(applied.status).toBe(1);
    expect(jsonLines(applied.stdout).at(-1)).toMatchObject({
      summary: { outcome: 'failed', hosts: { failed: ['web-2'] } },
    });
    expect((await run('status')).stdout).toContain('failed');
    const planned = jsonLines((await run('plan', '--only', 'failed', '--json')).stdout)[0];
    expect(planned).toMatchObject({ pairs: [{ host: 'web-2', reason: 'failed-before' }] });
    fleet.commit({ 'roles/base/role.ts': fileRole('base', `'one'`) });
    expect((await run('apply', '--only', 'failed')).status).toBe(0);
    expect(jsonLines((await run('plan', '--only', 'failed', '--json')).stdout)[0]).toMatchObject({
      pairs: [],
    });
    expect((await run('apply')).status).toBe(0);
  });

  it('reads beside a running writer, which keeps a second one out', async () => {
    const opened = await openStore(place.state, { mode: 'write' });
    if (!opened.ok) throw new Error(opened.problem.message);
    try {
      expect((await run('status')).status).toBe(0);
      expect((await run('history')).status).toBe(0);
      expect((await run('plan')).status).toBe(0);
      const refused = await run('apply');
      expect(refused.status).toBe(1);
      expect(refused.stderr).toContain('state.');
    } finally {
      await opened.value.close();
    }
  });

  it.each([
    'apply --limit-hosts wbe-*',
    'plan --limit-groups nobody',
    'plan --limit-hosts ',
    'ping nobody',
    'facts nobody',
    'explain nobody base',
    'explain web-1 nothing',
    'inventory @nobody',
    'plan --env nowhere',
    'apply --local --host nobody',
    'apply --local',
  ])('refuses what names nobody: %s', async (line) => {
    const words = line.split(' ');
    const refused = await run(...words);
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringMatching(/cli\.|plan\./) });
    const json = await run(...words, '--json');
    expect(jsonLines(json.stdout).some(({ type }) => type === 'problem')).toBe(true);
  });

  it('reports a broken commit from plan and apply, and keeps what is in force', async () => {
    const broken = fleet.commit({ 'roles/base/role.ts': 'export default (' });
    const validated = await run('validate');
    expect([validated.status, (await run('validate', '--rev', broken)).status]).toEqual([1, 1]);
    expect(validated.stderr).toContain('roles/base/role.ts:1');
    expect((await run('plan')).status).toBe(1);
    const applied = await run('apply', '--json');
    expect(applied.status).toBe(1);
    expect(jsonLines(applied.stdout).at(-1)).toMatchObject({ summary: { outcome: 'stalled' } });
    expect((await run('status')).stdout).toContain('roles/base/role.ts');
    expect((await run('explain', 'web-1', 'base')).status).toBe(1);
    fleet.commit({ 'roles/base/role.ts': fileRole('base', `'one'`) });
    expect((await run('apply')).status).toBe(0);
  });
});

describe('run and watch', { timeout: 30_000 }, () => {
  it('run --once brings everything up to date, then exits', async () => {
    fleet.commit({ 'roles/base/role.ts': fileRole('base', `'once'`) });
    const ended = await run('run', '--once', '--json');
    expect(ended.status).toBe(0);
    expect(read('web-1', 'base')).toBe('once');
    expect((await run('run', '--once', '--json', '--env', 'nowhere')).status).toBe(1);
    expect((await run('run', '--once', '--json', '--repo', fresh())).status).toBe(1);
  });

  it('run follows commits until it is interrupted, and that is a good end', async () => {
    const stop = new AbortController();
    let seen = '';
    const running = towline(['run', '--json'], {
      ...place,
      interrupted: stop.signal,
      onOutput: (text) => {
        seen = text;
      },
    });
    await vi.waitFor(() => expect(seen).toContain('run-finished'), { timeout: 10_000 });
    fleet.commit({ 'roles/base/role.ts': fileRole('base', `'followed'`) });
    await vi.waitFor(() => expect(seen.split('run-finished').length).toBeGreaterThan(2), { timeout: 10_000 });
    stop.abort();
    expect((await running).status).toBe(0);
    expect(read('db-1', 'base')).toBe('followed');
  });

  it('watch pushes what is saved and exits when it is quiet', async () => {
    let seen = '';
    const watching = towline(['watch', '--converged-timeout', '1.5', '--json'], {
      ...place,
      onOutput: (text) => {
        seen = text;
      },
    });
    await vi.waitFor(() => expect(seen).toContain('run-finished'), { timeout: 10_000 });
    writeFileSync(join(fleet.repository, 'roles/base/role.ts'), fileRole('base', `'saved'`));
    await vi.waitFor(() => expect(read('db-1', 'base')).toBe('saved'), { timeout: 10_000 });
    expect((await watching).status).toBe(0);
  });

  it('watch ends with 130 when a person ends it, and wants seconds that are some', async () => {
    const stop = new AbortController();
    const onOutput = (text: string): void => {
      if (text.includes('run-finished')) stop.abort();
    };
    expect(
      (await towline(['watch', '--json'], { ...place, interrupted: stop.signal, onOutput })).status,
    ).toBe(130);
    expect((await run('watch', '--converged-timeout', 'soon')).status).toBe(64);
  });
});

describe('apply --local', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('applies to this machine without SSH', async () => {
    const root = fresh();
    vi.stubEnv('TOWLINE_HOST_DIR', fresh());
    const logins = fleet.hosts.map((host) => host.logins);
    const local = { ...place, state: fresh() };
    const applied = await towline(['apply', '--local', '--host', 'web-1', '-e', `root=${root}`], local);
    expect(applied).toMatchObject({ status: 0, stderr: '' });
    expect(readdirSync(root).sort()).toEqual(['base', 'colour', 'site']);
    expect(fleet.hosts.map((host) => host.logins)).toEqual(logins);
    expect((await towline(['apply', '--host', 'web-1'], local)).status).toBe(64);
    expect(userInfo().username).not.toBe('');
  });
});
