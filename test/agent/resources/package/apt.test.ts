import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { PackageShape } from '../../../../agent/protocol/shapes/package.ts';
import { packageResource } from '../../../../agent/resources/package/package.ts';
import type { System } from '../../../../agent/system/system.ts';
import { type OverlayRoot, overlayUnavailable, startOverlayRoot } from '../../../helpers/overlay-root.ts';
import { applying, noFacts } from '../../test-host.ts';
import { aptFacts, asAgent, dryRunAfter, planned, problemFrom } from '../as-agent.ts';

const unavailable = overlayUnavailable('apt-get', 'apt-cache', 'dpkg-deb');

const wanted = (name: string, more: object = {}): PackageShape => ({
  package: name,
  state: 'present',
  ...more,
});

describe.skipIf(unavailable !== undefined)('package with apt, on a root and a repository of its own', () => {
  let root: OverlayRoot;
  let system: System;
  beforeAll(async () => {
    root = await startOverlayRoot();
    mkdirSync(root.path('srv/repo'), { recursive: true });
    root.run(
      'sh',
      '-c',
      'rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/* /var/lib/apt/lists/* /var/cache/apt/*.bin',
    );
    root.run('sh', '-c', 'rm -f /etc/apt/apt.conf.d/*');
    writeFileSync(root.path('etc/apt/sources.list'), 'deb [trusted=yes] copy:/srv/repo ./\n');
    writeFileSync(root.path('etc/apt/apt.conf.d/99test'), 'APT::Sandbox::User "root";\n');
    publish(root, [
      { name: 'tow-tool', version: '1.0' },
      { name: 'tow-tool', version: '2.0' },
      { name: 'tow-mail', version: '1', more: 'Provides: tow-agent (= 7)\nConflicts: tow-post' },
      { name: 'tow-post', version: '1', more: 'Provides: tow-agent' },
      { name: 'tow-conf', version: '1', config: true },
      { name: 'tow-sick', version: '1', postinst: 'echo it hurts here >&2; exit 1' },
    ]);
    root.run('apt-get', 'update');
  });
  afterAll(() => root.stop());
  beforeEach(() => {
    system = root.system(aptFacts);
  });

  const installed = (name: string) => {
    try {
      return root.run('dpkg-query', '-W', '-f', `\${db:Status-Abbrev}\${Version}`, name);
    } catch {
      return undefined;
    }
  };

  it('installs, sees what it has, and removes', async () => {
    const done = await asAgent(system, packageResource, wanted('tow-tool'));
    expect(done).toMatchObject({
      announced: [{ action: 'create', property: 'package', to: '2.0' }],
      left: [],
    });
    expect(installed('tow-tool')).toBe('ii 2.0');
    expect(await packageResource.observe?.(system, wanted('tow-tool'))).toEqual({ version: '2.0' });
    expect(await asAgent(system, packageResource, wanted('tow-tool'))).toMatchObject({ acts: [] });
    const gone = await asAgent(system, packageResource, wanted('tow-tool', { state: 'absent' }));
    expect(gone).toMatchObject({ acts: ['remove package'], left: [] });
    expect(await packageResource.observe?.(system, wanted('tow-tool'))).toEqual({ version: null });
    expect(await asAgent(system, packageResource, wanted('tow-tool', { state: 'absent' }))).toMatchObject({
      acts: [],
    });
  });

  it('installs a pinned version, upgrades to the latest, and goes back down when pinned lower', async () => {
    const pinned = wanted('tow-tool', { version: '1.0' });
    expect(await asAgent(system, packageResource, pinned)).toMatchObject({
      acts: ['create package'],
      left: [],
    });
    expect(await asAgent(system, packageResource, wanted('tow-tool'))).toMatchObject({ acts: [] });
    const latest = await asAgent(system, packageResource, wanted('tow-tool', { state: 'latest' }));
    expect(latest).toMatchObject({ announced: [{ property: 'version', from: '1.0', to: '2.0' }], left: [] });
    expect(await asAgent(system, packageResource, pinned)).toMatchObject({
      acts: ['update version'],
      left: [],
    });
    expect(installed('tow-tool')).toBe('ii 1.0');
  });

  it('does neighbours in one transaction, installs and removals together', async () => {
    const items = [wanted('tow-mail'), wanted('tow-tool', { state: 'absent' }), wanted('tow-conf')];
    const changes = await Promise.all(items.map((item) => packageResource.check(system, item, applying)));
    const before = readFileSync(root.path('var/log/apt/history.log'), 'utf8').split('Start-Date').length;
    await packageResource.applyTogether?.(
      system,
      items.map((item, index) => ({ wanted: item, changes: changes[index] as [] })),
    );
    const history = readFileSync(root.path('var/log/apt/history.log'), 'utf8');
    expect(history.split('Start-Date').length).toBe(before + 1);
    expect(history).toMatch(/Commandline: .*install tow-mail tow-conf tow-tool-$/m);
    for (const item of items) expect(await packageResource.check(system, item, applying)).toEqual([]);
  });

  it('counts a name as present that an installed package provides, in the version it claims', async () => {
    expect(await asAgent(system, packageResource, wanted('tow-agent'))).toMatchObject({ acts: [] });
    expect(await asAgent(system, packageResource, wanted('tow-agent', { version: '7' }))).toMatchObject({
      acts: [],
    });
    expect(await asAgent(system, packageResource, wanted('tow-agent', { state: 'latest' }))).toMatchObject({
      acts: [],
    });
    expect(await asAgent(system, packageResource, wanted('tow-agent', { state: 'absent' }))).toMatchObject({
      acts: [],
    });
  });

  it('understands an architecture behind the name', async () => {
    expect(await asAgent(system, packageResource, wanted('tow-mail:all'))).toMatchObject({ acts: [] });
    const [bash] = [root.run('dpkg', '--print-architecture').trim()].map((name) => wanted(`bash:${name}`));
    expect(await asAgent(system, packageResource, bash as PackageShape)).toMatchObject({ acts: [] });
  });

  it('refuses to remove what no resource removes', async () => {
    const problem = await problemFrom(asAgent(system, packageResource, wanted('tow-post')));
    expect(problem).toMatchObject({ code: 'package.conflict' });
    expect(installed('tow-mail')).toBe('ii 1');
  });

  it('purges the configuration, also when the package itself has gone before', async () => {
    writeFileSync(root.path('etc/tow.conf'), 'edited');
    await asAgent(system, packageResource, wanted('tow-conf', { state: 'absent' }));
    expect(statSync(root.path('etc/tow.conf')).isFile()).toBe(true);
    const purge = wanted('tow-conf', { state: 'absent', purge: true });
    expect(await asAgent(system, packageResource, purge)).toMatchObject({
      acts: ['remove configuration'],
      left: [],
    });
    expect(() => statSync(root.path('etc/tow.conf'))).toThrow();
    await asAgent(system, packageResource, wanted('tow-conf'));
    expect(await asAgent(system, packageResource, purge)).toMatchObject({
      acts: ['remove package'],
      left: [],
    });
  });

  it('names the package or version that no source has', async () => {
    const nowhere = packageResource.check(system, wanted('tow-nowhere'), applying);
    expect(await problemFrom(nowhere)).toMatchObject({
      code: 'package.unknown',
      message: expect.stringContaining('tow-nowhere'),
    });
    const version = packageResource.check(system, wanted('tow-post', { version: '9' }), applying);
    expect((await problemFrom(version)).message).toContain('version 9 of tow-post (it has 1)');
    const minus = packageResource.check(system, wanted('tow-post-'), applying);
    expect((await problemFrom(minus)).code).toBe('package.unknown');
    const applied = packageResource.apply(system, wanted('tow-nowhere'), [], applying);
    expect(await problemFrom(applied)).toMatchObject({
      code: 'package.unknown',
      message: expect.stringContaining('tow-nowhere'),
    });
  });

  it('is unknown in a dry run while a package source may still come', async () => {
    const sources = [
      planned('file', { path: '/etc/apt/sources.list.d/x.list', state: 'present' }),
      planned('package', wanted('tow-release')),
      planned('command', { argv: ['add-apt-repository'] }),
    ];
    for (const source of sources) {
      const look = packageResource.check(system, wanted('tow-nowhere'), dryRunAfter(source));
      expect(await look).toHaveProperty('unknown');
    }
    const unrelated = dryRunAfter(planned('file', { path: '/etc/motd', state: 'present' }));
    const check = packageResource.check(system, wanted('tow-nowhere'), unrelated);
    expect((await problemFrom(check)).code).toBe('package.unknown');
  });

  it('refreshes lists older than allowed, and only those', async () => {
    publish(root, [
      { name: 'tow-fresh', version: '1' },
      { name: 'tow-other', version: '1' },
    ]);
    const fresh = wanted('tow-fresh', { refreshAfter: 3600 });
    const unrefreshed = await problemFrom(asAgent(system, packageResource, fresh));
    expect(unrefreshed.code).toBe('package.unknown');
    age(root);
    expect(await asAgent(system, packageResource, fresh)).toMatchObject({
      acts: ['create package'],
      left: [],
    });
    const lists = statSync(root.path('var/lib/apt/lists')).mtimeMs;
    expect(Date.now() - lists).toBeLessThan(600_000);
    age(root);
    expect(await asAgent(system, packageResource, fresh)).toMatchObject({ acts: [] });
    expect(statSync(root.path('var/lib/apt/lists')).mtimeMs).toBeLessThan(lists);
  });

  it('waits for nobody’s lock for ever and says who is locked', async () => {
    const lock = root.path('usr/local/sbin/apt-get');
    const words = 'E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1 (apt)';
    writeFileSync(lock, `#!/bin/sh\necho "${words}" >&2\nexit 100\n`, { mode: 0o755 });
    const problem = await problemFrom(asAgent(system, packageResource, wanted('tow-other')));
    rmSync(lock);
    expect(problem).toMatchObject({ code: 'package.locked', disposition: 'retry', lines: [words] });
  });

  it('finishes what an interrupted dpkg left, then does its own work', async () => {
    const stub = root.path('usr/local/sbin/apt-get');
    const complaint = 'E: dpkg was interrupted, you must manually run dpkg --configure -a';
    writeFileSync(
      stub,
      `#!/bin/sh\nif [ ! -e /tmp/interrupted ]; then touch /tmp/interrupted; echo "${complaint}" >&2; exit 100; fi\nexec /usr/bin/apt-get "$@"\n`,
      { mode: 0o755 },
    );
    const done = await asAgent(system, packageResource, wanted('tow-other'));
    rmSync(stub);
    expect(done).toMatchObject({ acts: ['create package'], left: [] });
  });

  it('fails with the last lines of a package that cannot be configured, and sees it as not installed', async () => {
    publish(root, [{ name: 'tow-sick', version: '1', postinst: 'echo it hurts here >&2; exit 1' }]);
    root.run('apt-get', 'update');
    const problem = await problemFrom(asAgent(system, packageResource, wanted('tow-sick')));
    expect(problem.code).toBe('package.failed');
    expect(problem.lines?.join('\n')).toContain('it hurts here');
    expect(await packageResource.check(system, wanted('tow-sick'), applying)).toMatchObject([
      { action: 'create' },
    ]);
    expect(await asAgent(system, packageResource, wanted('tow-sick', { state: 'absent' }))).toMatchObject({
      left: [],
    });
  });

  it('refuses a host whose package manager it cannot drive', async () => {
    for (const [packageManager, what] of [
      [null, 'no known package manager'],
      ['dnf', 'the package manager dnf'],
    ] as const) {
      const check = packageResource.check(root.system({ ...noFacts, packageManager }), wanted('x'), applying);
      expect(await problemFrom(check)).toMatchObject({
        code: 'package.unsupported',
        message: expect.stringContaining(what),
      });
    }
  });
});

interface Debian {
  readonly name: string;
  readonly version: string;
  readonly more?: string;
  readonly config?: boolean;
  readonly postinst?: string;
}

/** Makes the packages and the index of the repository, which then has these only. */
function publish(root: OverlayRoot, packages: readonly Debian[]): void {
  const stanzas = packages.map(({ name, version, more, config, postinst }) => {
    const work = `/tmp/build/${name}_${version}`;
    mkdirSync(root.path(work, 'DEBIAN'), { recursive: true });
    const control = `Package: ${name}\nVersion: ${version}\nArchitecture: all\nMaintainer: Test <t@example.org>\n${more === undefined ? '' : `${more}\n`}Description: test\n`;
    writeFileSync(root.path(work, 'DEBIAN/control'), control);
    if (postinst !== undefined)
      writeFileSync(root.path(work, 'DEBIAN/postinst'), `#!/bin/sh\n${postinst}\n`, { mode: 0o755 });
    if (config === true) {
      mkdirSync(root.path(work, 'etc'), { recursive: true });
      writeFileSync(root.path(work, 'etc/tow.conf'), 'default\n');
      writeFileSync(root.path(work, 'DEBIAN/conffiles'), '/etc/tow.conf\n');
    }
    const file = `${name}_${version}_all.deb`;
    root.run('dpkg-deb', '--root-owner-group', '-b', work, `/srv/repo/${file}`);
    const bytes = readFileSync(root.path('srv/repo', file));
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    return `${control}Filename: ./${file}\nSize: ${bytes.length}\nSHA256: ${sha256}\n`;
  });
  writeFileSync(root.path('srv/repo/Packages'), `${stanzas.join('\n')}\n`);
}

/** Makes apt's lists look a day old. */
function age(root: OverlayRoot): void {
  const yesterday = new Date(Date.now() - 86_400_000);
  for (const name of ['', 'partial']) utimesSync(root.path('var/lib/apt/lists', name), yesterday, yesterday);
  rmSync(root.path('var/lib/apt/periodic/update-success-stamp'), { force: true });
}
