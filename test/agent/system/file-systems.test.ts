import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { codeOf, type TestHost, testHost } from '../test-host.ts';
import { mayMount } from './may-mount.ts';

describe.runIf(mayMount())('System on file systems at their limits', () => {
  let host: TestHost;
  const mounted: string[] = [];
  const mount = (path: string, options: string) => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'towline-test', path]);
    mounted.push(path);
  };
  beforeEach(() => {
    host = testHost();
  });
  afterEach(() => {
    for (const path of mounted.splice(0).reverse()) execFileSync('umount', [path]);
    host.remove();
  });

  it('keeps the old content on a full disk and leaves nothing behind', async () => {
    mkdirSync(host.path('m'));
    mount(host.path('m'), 'size=64k');
    writeFileSync(host.path('m', 'f'), 'old');
    const act = host.system.replaceFile(host.path('m', 'f'), { text: 'n'.repeat(200_000) }, {});
    expect(await codeOf(act)).toBe('file.disk-full');
    expect(readFileSync(host.path('m', 'f'), 'utf8')).toBe('old');
    expect(readdirSync(host.path('m'))).toEqual(['f']);
    await host.system.replaceFile(host.path('m', 'f'), { text: 'fits' }, {});
    expect(readFileSync(host.path('m', 'f'), 'utf8')).toBe('fits');
  });

  it('tells that inodes ran out as a full disk', async () => {
    mkdirSync(host.path('m'));
    mount(host.path('m'), 'nr_inodes=2');
    await host.system.makeDirectory(host.path('m', 'd'), {});
    expect(await codeOf(host.system.makeDirectory(host.path('m', 'e'), {}))).toBe('file.disk-full');
    expect(await codeOf(host.system.replaceFile(host.path('m', 'f'), { text: '' }, {}))).toBe(
      'file.disk-full',
    );
  });

  it('tells a read-only file system from missing permission', async () => {
    mkdirSync(host.path('m'));
    mount(host.path('m'), 'size=64k');
    writeFileSync(host.path('m', 'f'), 'old');
    execFileSync('mount', ['-o', 'remount,ro', host.path('m')]);
    const path = host.path('m', 'f');
    expect(await codeOf(host.system.replaceFile(path, { text: 'new' }, {}))).toBe('file.read-only');
    expect(await codeOf(host.system.setOwnership(path, { mode: '0600' }))).toBe('file.read-only');
    expect(await codeOf(host.system.remove(path))).toBe('file.read-only');
    expect(await codeOf(host.system.makeLink(host.path('m', 'l'), 'x'))).toBe('file.read-only');
    expect(await codeOf(host.system.makeDirectory(host.path('m', 'd'), {}))).toBe('file.read-only');
  });

  it('refuses to remove a tree with a mount point in it before anything is removed', async () => {
    mkdirSync(host.path('d', 'a b', 'c'), { recursive: true });
    writeFileSync(host.path('d', 'a b', 'x'), '');
    mount(host.path('d', 'a b', 'c'), 'size=64k');
    writeFileSync(host.path('d', 'a b', 'c', 'precious'), '');
    for (const path of [host.path('d'), host.path('d', 'a b', 'c')]) {
      expect(await codeOf(host.system.remove(path, { recursive: true }))).toBe('file.mount-point');
    }
    expect(readdirSync(host.path('d', 'a b')).sort()).toEqual(['c', 'x']);
    expect(readdirSync(host.path('d', 'a b', 'c'))).toEqual(['precious']);
  });
});
