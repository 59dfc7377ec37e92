import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PlannedResource } from '../../../agent/protocol/plan.ts';
import { directoryResource } from '../../../agent/resources/directory.ts';
import { acts, applying, codeOf, converge, type TestHost, testHost } from '../test-host.ts';

let host: TestHost;
beforeEach(() => {
  host = testHost();
});
afterEach(() => host.remove());

const isRoot = process.getuid?.() === 0;

describe('directory', () => {
  it('makes a directory with its mode and changes only the mode later', async () => {
    const path = host.path('d');
    const made = await converge(host, directoryResource, { path: `${path}/`, state: 'present' });
    expect(acts(made.announced)).toEqual(['create state']);
    expect(await host.reader.stat(path)).toMatchObject({ mode: '0755', type: 'directory' });
    const changed = await converge(host, directoryResource, { path, state: 'present', mode: '2750' });
    expect(changed.announced).toEqual([{ action: 'update', property: 'mode', from: '0755', to: '2750' }]);
    expect(changed.left).toEqual([]);
  });

  it.runIf(isRoot)('gives new and existing directories their owner and group', async () => {
    const wanted = { path: host.path('d'), state: 'present' as const, owner: 'daemon', group: 'daemon' };
    expect((await converge(host, directoryResource, wanted)).left).toEqual([]);
    const { announced } = await converge(host, directoryResource, { ...wanted, owner: 'root' });
    expect(acts(announced)).toEqual(['update owner']);
  });

  it('removes an empty directory, refuses a full one without force, and takes all of it with force', async () => {
    const path = host.path('d');
    mkdirSync(host.path('d', 'e'), { recursive: true });
    writeFileSync(host.path('d', 'e', 'x'), '');
    symlinkSync('/etc', host.path('d', 'l'));
    expect(await codeOf(converge(host, directoryResource, { path, state: 'absent' }))).toBe(
      'resource.failed',
    );
    const forced = await converge(host, directoryResource, { path, state: 'absent', force: true });
    expect(forced).toEqual({ announced: [expect.objectContaining({ action: 'remove' })], left: [] });
    mkdirSync(path);
    expect((await converge(host, directoryResource, { path, state: 'absent' })).left).toEqual([]);
    expect((await converge(host, directoryResource, { path, state: 'absent' })).announced).toEqual([]);
  });

  it('does not know in a dry run whether a directory will be empty when something below it is to go', async () => {
    mkdirSync(host.path('d'));
    writeFileSync(host.path('d', 'x'), '');
    const wanted = { path: host.path('d', 'x'), state: 'absent' };
    const pending = [{ id: 'file:x', kind: 'file', wanted, meta: {} }] as unknown as PlannedResource[];
    const check = directoryResource.check(
      host.reader,
      { path: host.path('d'), state: 'absent' },
      { ...applying, pending },
    );
    expect(await check).toEqual({ unknown: 'it is not empty; file:x would remove something below it' });
  });

  it('refuses a file or link at its path and a missing parent', async () => {
    writeFileSync(host.path('f'), '');
    symlinkSync('/tmp', host.path('l'));
    const check = (path: string) =>
      codeOf(Promise.resolve(directoryResource.check(host.reader, { path, state: 'present' }, applying)));
    expect(await check(host.path('f'))).toBe('file.wrong-type');
    expect(await check(host.path('l'))).toBe('file.wrong-type');
    expect(await check(host.path('no', 'd'))).toBe('file.parent-missing');
  });
});

describe('directory with a tree', () => {
  const tree = () => [
    { path: 'a.conf', content: host.contents.put('a\n'), mode: '0640' },
    { path: 'sub/deep/b.conf', content: host.contents.put('b\n', false), mode: '0644' },
  ];
  const wanted = () => ({ path: host.path('d'), state: 'present' as const, tree: tree() });

  it('makes the directory, those between, and all files', async () => {
    const { announced, left } = await converge(host, directoryResource, wanted());
    expect(acts(announced)).toEqual([
      'create state',
      'create sub',
      'create sub/deep',
      'create a.conf',
      'create sub/deep/b.conf',
    ]);
    expect(left).toEqual([]);
    expect(readFileSync(host.path('d', 'sub', 'deep', 'b.conf'), 'utf8')).toBe('b\n');
    expect(await host.reader.stat(host.path('d', 'a.conf'))).toMatchObject({ mode: '0640' });
  });

  it('announces and mends each difference of a file below it', async () => {
    await converge(host, directoryResource, wanted());
    writeFileSync(host.path('d', 'a.conf'), 'x\n');
    await host.system.setOwnership(host.path('d', 'a.conf'), { mode: '0600' });
    const { announced, left } = await converge(host, directoryResource, wanted());
    expect(acts(announced)).toEqual(['update content of a.conf', 'update mode of a.conf']);
    expect(announced[0]?.diff).toBe('@@ -1,1 +1,1 @@\n-x\n+a');
    expect(left).toEqual([]);
    await host.system.setOwnership(host.path('d', 'a.conf'), { mode: '0600' });
    expect(acts((await converge(host, directoryResource, wanted())).announced)).toEqual([
      'update mode of a.conf',
    ]);
  });

  it('leaves what is not in the tree alone without purge and lists each removal with it', async () => {
    await converge(host, directoryResource, wanted());
    mkdirSync(host.path('d', 'old', 'er'), { recursive: true });
    writeFileSync(host.path('d', 'sub', 'stray'), '');
    symlinkSync('/etc', host.path('d', 'link'));
    expect((await converge(host, directoryResource, wanted())).announced).toEqual([]);
    const { announced, left } = await converge(host, directoryResource, { ...wanted(), purge: true });
    expect(announced).toEqual([
      { action: 'remove', property: 'link', from: 'link', to: 'absent' },
      { action: 'remove', property: 'old', from: 'directory', to: 'absent' },
      { action: 'remove', property: 'sub/stray', from: 'file', to: 'absent' },
    ]);
    expect(left).toEqual([]);
    expect(readdirSync(host.path('d')).sort()).toEqual(['a.conf', 'sub']);
  });

  it('empties a directory when purge comes without a tree', async () => {
    mkdirSync(host.path('d'));
    writeFileSync(host.path('d', 'x'), '');
    const { left } = await converge(host, directoryResource, {
      path: host.path('d'),
      state: 'present',
      purge: true,
    });
    expect(left).toEqual([]);
    expect(readdirSync(host.path('d'))).toEqual([]);
  });

  it('refuses to purge what it cannot name', async () => {
    mkdirSync(host.path('d'));
    writeFileSync(Buffer.concat([Buffer.from(`${host.path('d')}/`), Buffer.from([0xe9])]), '');
    expect(await codeOf(converge(host, directoryResource, { ...wanted(), purge: true }))).toBe(
      'resource.failed',
    );
  });

  it('replaces something of another type below it only with purge', async () => {
    mkdirSync(host.path('d', 'a.conf', 'full'), { recursive: true });
    writeFileSync(host.path('d', 'sub'), '');
    expect(await codeOf(converge(host, directoryResource, wanted()))).toBe('file.wrong-type');
    const { announced, left } = await converge(host, directoryResource, { ...wanted(), purge: true });
    expect(acts(announced)).toEqual([
      'remove sub',
      'create sub',
      'create sub/deep',
      'remove a.conf',
      'create a.conf',
      'create sub/deep/b.conf',
    ]);
    expect(left).toEqual([]);
  });

  it('fails on an owner that the host does not have, for what is there and what is not', async () => {
    const owned = { ...wanted(), owner: 'no-such-user' };
    expect(await codeOf(converge(host, directoryResource, owned))).toBe('file.unknown-owner');
    const pending = [
      { id: 'package:p', kind: 'package', wanted: {}, meta: {} },
    ] as unknown as PlannedResource[];
    const dry = { ...applying, pending };
    expect(await directoryResource.check(host.reader, owned, dry)).toHaveProperty('unknown');
    await converge(host, directoryResource, wanted());
    expect(await directoryResource.check(host.reader, owned, dry)).toHaveProperty('unknown');
  });
});
