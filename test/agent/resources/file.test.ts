import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PlannedResource } from '../../../agent/protocol/plan.ts';
import { fileResource, templateResource } from '../../../agent/resources/file.ts';
import { acts, applying, codeOf, converge, type TestHost, testHost } from '../test-host.ts';

let host: TestHost;
beforeEach(() => {
  host = testHost();
});
afterEach(() => host.remove());

const isRoot = process.getuid?.() === 0;

describe('file', () => {
  it('makes a missing file with content, mode and nothing left to do', async () => {
    const content = host.contents.put('hello\n');
    const path = host.path('a');
    const wanted = { path, state: 'present' as const, content, mode: '0640' };
    const { announced, left } = await converge(host, fileResource, wanted);
    expect(announced).toEqual([
      { action: 'create', property: 'state', from: 'absent', to: 'present', diff: '@@ -0,0 +1,1 @@\n+hello' },
    ]);
    expect(left).toEqual([]);
    expect(readFileSync(path, 'utf8')).toBe('hello\n');
    expect(await host.reader.stat(path)).toMatchObject({ mode: '0640', type: 'file' });
    expect(readdirSync(host.root)).toEqual(['a']);
  });

  it('makes an empty file with mode 0644 when nothing is said about content', async () => {
    const wanted = { path: host.path('a'), state: 'present' as const };
    expect((await converge(host, fileResource, wanted)).left).toEqual([]);
    expect(await host.reader.stat(host.path('a'))).toMatchObject({ mode: '0644', size: 0 });
  });

  it('announces content and mode apart and keeps the mode it is not asked to change', async () => {
    const path = host.path('a');
    writeFileSync(path, 'one\ntwo\n');
    chmodSync(path, 0o600);
    const content = host.contents.put('one\n2\n');
    const first = await converge(host, fileResource, { path, state: 'present', content });
    expect(acts(first.announced)).toEqual(['update content']);
    expect(first.announced[0]?.diff).toBe('@@ -1,2 +1,2 @@\n one\n-two\n+2');
    expect(await host.reader.stat(path)).toMatchObject({ mode: '0600' });
    const second = await converge(host, fileResource, { path, state: 'present', content, mode: '0644' });
    expect(second.announced).toEqual([{ action: 'update', property: 'mode', from: '0600', to: '0644' }]);
    expect(second.left).toEqual([]);
  });

  it('finds a change of equal size by the hash', async () => {
    const path = host.path('a');
    writeFileSync(path, 'aaa');
    const content = host.contents.put('bbb', false);
    const { announced, left } = await converge(host, fileResource, { path, state: 'present', content });
    expect(announced).toEqual([
      {
        action: 'update',
        property: 'content',
        from: expect.stringMatching(/^3 bytes, sha256 9834876dcfb0$/),
        to: expect.stringMatching(/^3 bytes, sha256 3e744b9dc393$/),
      },
    ]);
    expect(left).toEqual([]);
  });

  it('pulls nothing when the host has the content already', async () => {
    const path = host.path('a');
    writeFileSync(path, 'same');
    const content = host.contents.put('same', false);
    expect((await converge(host, fileResource, { path, state: 'present', content })).announced).toEqual([]);
    expect(host.contents.pulls).toBe(0);
  });

  it('leaves an existing file alone with createOnly', async () => {
    const path = host.path('a');
    writeFileSync(path, 'mine');
    const wanted = {
      path,
      state: 'present' as const,
      createOnly: true,
      mode: '0600',
      content: host.contents.put('x'),
    };
    expect((await converge(host, fileResource, wanted)).announced).toEqual([]);
    expect(await fileResource.observe?.(host.reader, wanted)).toEqual({
      path,
      sha256: await host.reader.sha256(path),
    });
  });

  it('removes files and links, and refuses to remove a directory', async () => {
    writeFileSync(host.path('a'), '');
    symlinkSync('/etc', host.path('l'));
    mkdirSync(host.path('d'));
    for (const name of ['a', 'l', 'nothing']) {
      const wanted = { path: host.path(name), state: 'absent' as const };
      expect((await converge(host, fileResource, wanted)).left).toEqual([]);
      expect(await fileResource.observe?.(host.reader, wanted)).toEqual({ path: wanted.path });
    }
    expect(existsSync('/etc')).toBe(true);
    const directory = converge(host, fileResource, { path: host.path('d'), state: 'absent' });
    expect(await codeOf(directory)).toBe('file.wrong-type');
  });

  it('refuses a directory, a link and a missing parent, each by its own code', async () => {
    mkdirSync(host.path('d'));
    symlinkSync('d', host.path('l'));
    writeFileSync(host.path('f'), '');
    const check = (path: string) =>
      codeOf(fileResource.check(host.reader, { path, state: 'present' }, applying));
    expect(await check(host.path('d'))).toBe('file.wrong-type');
    expect(await check(host.path('l'))).toBe('file.wrong-type');
    expect(await check(host.path('none', 'x'))).toBe('file.parent-missing');
    expect(await check(host.path('f', 'x'))).toBe('file.wrong-type');
    expect(await check(`${host.path('l')}/x`)).toBe('none');
  });

  it('keeps the old content when the validate command refuses, and shows what it said', async () => {
    const path = host.path('a');
    writeFileSync(path, 'old');
    const content = host.contents.put('new');
    const validate = ['sh', '-c', 'cat "$1"; echo " is bad: $1" >&2; exit 3', 'x', '%s'];
    const wanted = { path, state: 'present' as const, content, validate };
    const changes = (await fileResource.check(host.reader, wanted, applying)) as [];
    const failure = await Promise.resolve(fileResource.apply(host.system, wanted, changes, applying)).catch(
      (error) => error.problem,
    );
    expect(failure).toMatchObject({ code: 'file.invalid', lines: ['new', ` is bad: ${path}`] });
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(host.root)).toEqual(['a']);
    const accepting = { ...wanted, validate: ['grep', '-q', 'new', '%s'] };
    expect((await converge(host, fileResource, accepting)).left).toEqual([]);
  });

  it('keeps the replaced content beside the file with backup, also twice in one second', async () => {
    const path = host.path('a');
    writeFileSync(path, 'first');
    for (const text of ['second', 'third']) {
      const content = host.contents.put(text);
      await converge(host, fileResource, { path, state: 'present', content, backup: true });
    }
    const backups = readdirSync(host.root).filter((name) => name !== 'a');
    expect(backups).toHaveLength(2);
    for (const name of backups) expect(name).toMatch(/^a\.\d{8}T\d{6}Z(\.1)?~$/);
    const kept = backups.map((name) => readFileSync(host.path(name), 'utf8')).sort();
    expect(kept).toEqual(['first', 'second']);
  });

  it('refuses content that does not have its hash and leaves the old', async () => {
    const path = host.path('a');
    writeFileSync(path, 'old');
    const content = { ...host.contents.put('new!'), sha256: 'f'.repeat(64) };
    expect(await codeOf(converge(host, fileResource, { path, state: 'present', content }))).toBe(
      'blob.corrupt',
    );
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(host.root)).toEqual(['a']);
  });

  it.runIf(isRoot)('changes owner and group by name or number', async () => {
    const path = host.path('a');
    const byName = { path, state: 'present' as const, owner: 'daemon', group: 'daemon', mode: '4755' };
    expect((await converge(host, fileResource, byName)).left).toEqual([]);
    const byNumber = { path, state: 'present' as const, owner: '0', group: '54321' };
    const { announced, left } = await converge(host, fileResource, byNumber);
    expect(announced).toEqual([
      { action: 'update', property: 'owner', from: 'daemon', to: '0' },
      { action: 'update', property: 'group', from: 'daemon', to: '54321' },
    ]);
    expect(left).toEqual([]);
    expect(await host.reader.stat(path)).toMatchObject({ mode: '4755' });
    const back = await converge(host, fileResource, { path, state: 'present', group: 'root' });
    expect(back.announced).toEqual([{ action: 'update', property: 'group', from: '54321', to: 'root' }]);
  });

  it('refuses an owner or group the host does not have', async () => {
    const path = host.path('a');
    const wanted = { path, state: 'present' as const };
    for (const ownership of [{ owner: 'no-such-user' }, { group: 'no-such-group' }]) {
      const check = fileResource.check(host.reader, { ...wanted, ...ownership }, applying);
      expect(await codeOf(Promise.resolve(check))).toBe('file.unknown-owner');
    }
  });
});

describe('file in a dry run', () => {
  const pending = (kind: string, wanted: object) =>
    ({ id: `${kind}:p`, kind, wanted, meta: {} }) as unknown as PlannedResource;
  const check = (wanted: object, ...before: PlannedResource[]) =>
    fileResource.check(
      host.reader,
      { path: host.path('d', 'f'), state: 'present', ...wanted },
      { ...applying, pending: before },
    );

  it('counts a parent as there when a pending directory, tree, link or home would make it', async () => {
    const path = host.path('d');
    const makers = [
      pending('directory', { path: `${path}/`, state: 'present' }),
      pending('directory', { path: host.root, state: 'present', tree: [{ path: 'd/e/x' }] }),
      pending('link', { path, state: 'present', target: '/tmp' }),
      pending('user', { user: 'x', home: path, state: 'present' }),
    ];
    for (const maker of makers) expect(acts((await check({}, maker)) as [])).toEqual(['create state']);
  });

  it('says unknown when something pending may make the parent, and fails when nothing would', async () => {
    const maker = pending('package', { package: 'nginx', state: 'present' });
    expect(await check({}, maker)).toEqual({
      unknown: `${host.path('d')} is not there yet; package:p may make it`,
    });
    const unrelated = pending('directory', { path: host.path('d'), state: 'absent' });
    expect(await codeOf(check({}, unrelated) as Promise<unknown>)).toBe('file.parent-missing');
  });

  it('accepts an account that is pending, and says unknown when a package may bring it', async () => {
    mkdirSync(host.path('d'));
    const user = pending('user', { user: 'fresh', state: 'present' });
    const group = pending('group', { group: 'team', state: 'present' });
    expect(acts((await check({ owner: 'fresh', group: 'fresh' }, user)) as [])).toEqual(['create state']);
    writeFileSync(host.path('d', 'f'), '');
    const changes = (await check({ owner: 'fresh', group: 'team' }, user, group)) as [];
    expect(acts(changes)).toEqual(['update owner', 'update group']);
    expect(await check({ owner: 'www' }, pending('package', { package: 'x', state: 'present' }))).toEqual({
      unknown: 'the user www does not exist yet; package:p may make it',
    });
    expect(await codeOf(check({ owner: 'www' }, group) as Promise<unknown>)).toBe('file.unknown-owner');
  });
});

describe('template rendered on the host', () => {
  const deferred = (program: string, context = {}) => ({
    path: host.path('t'),
    state: 'present' as const,
    deferred: { program: host.contents.put(program), context, source: 'roles/web/templates/t.njk' },
  });
  const program = 'exports.render = ({ port, results }) => [port, results.probe.stdout].join(" ") + "\\n";';
  const known = { ...applying, results: { probe: { stdout: 'ok' } } };

  it('renders from its context and the registered results', async () => {
    const { left } = await converge(host, templateResource, deferred(program, { port: 80 }), known);
    expect(left).toEqual([]);
    expect(readFileSync(host.path('t'), 'utf8')).toBe('80 ok\n');
    const observed = await templateResource.observe?.(host.reader, deferred(program, { port: 80 }));
    expect(observed).toMatchObject({ sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
  });

  it('is unknown in a dry run exactly when it asks for a result that is not known', async () => {
    const dry = { ...applying, unknown: new Set(['probe', 'other']) };
    const asks = await templateResource.check(host.reader, deferred(program), dry);
    expect(asks).toEqual({ unknown: 'it needs the result probe, which is not known yet' });
    const swallows = 'exports.render = (c) => { try { return c.results.probe.x } catch { return "" } }';
    expect(await templateResource.check(host.reader, deferred(swallows), dry)).toHaveProperty('unknown');
    const askless = await templateResource.check(host.reader, deferred('exports.render = () => "x"'), dry);
    expect(acts(askless as [])).toEqual(['create state']);
  });

  it('is unknown when its program is not held', async () => {
    const wanted = deferred(program);
    const away = { ...wanted.deferred, program: host.contents.put('exports.y = 1', false) };
    const result = await templateResource.check(host.reader, { ...wanted, deferred: away }, applying);
    expect(result).toEqual({ unknown: 'the program of roles/web/templates/t.njk is not on the host' });
    writeFileSync(host.path('t'), '');
    expect(await templateResource.check(host.reader, { ...wanted, deferred: away }, applying)).toHaveProperty(
      'unknown',
    );
  });

  it('fails naming the template, with line and column where the program knows them', async () => {
    const failing =
      'exports.render = () => { throw Object.assign(new Error("no port"), { lineno: 3, colno: 7 }) }';
    const failure = await Promise.resolve(
      templateResource.check(host.reader, deferred(failing), applying),
    ).catch((error) => error.problem);
    expect(failure).toMatchObject({
      code: 'template.failed',
      message: 'roles/web/templates/t.njk: no port',
      where: { file: 'roles/web/templates/t.njk', line: 3, column: 7 },
    });
  });

  it.each([
    ['require', 'exports.render = () => require("fs").readFileSync("/etc/passwd")'],
    ['process', 'exports.render = () => process.env.HOME'],
    ['a way out of its realm', 'exports.render = (c) => c.constructor.constructor("return process")().pid'],
    ['the end of time', 'exports.render = () => { for (;;); }'],
    [
      'an exit through its globals',
      'exports.render = () => globalThis.constructor.constructor("return 1")()',
    ],
    ['correct syntax', 'exports.render = ('],
    ['a render function', ''],
  ])('does not have %s', async (_, source) => {
    const check = templateResource.check(host.reader, deferred(source), applying);
    expect(await codeOf(check as Promise<unknown>)).toBe('template.failed');
  });
});
