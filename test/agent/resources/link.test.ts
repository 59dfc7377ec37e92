import { mkdirSync, readdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { linkResource } from '../../../agent/resources/link.ts';
import { acts, applying, codeOf, converge, type TestHost, testHost } from '../test-host.ts';

let host: TestHost;
beforeEach(() => {
  host = testHost();
});
afterEach(() => host.remove());

describe('link', () => {
  it('makes a link, changes its target and removes it, each with nothing left to do', async () => {
    const path = host.path('l');
    const made = await converge(host, linkResource, { path, state: 'present', target: '../a b' });
    expect(made).toEqual({ announced: [expect.objectContaining({ to: 'link to ../a b' })], left: [] });
    const moved = await converge(host, linkResource, { path, state: 'present', target: '/gone' });
    expect(moved).toEqual({
      announced: [{ action: 'update', property: 'target', from: '../a b', to: '/gone' }],
      left: [],
    });
    expect(readlinkSync(path)).toBe('/gone');
    const again = await converge(host, linkResource, { path, state: 'present', target: '/gone' });
    expect(again.announced).toEqual([]);
    expect((await converge(host, linkResource, { path, state: 'absent' })).left).toEqual([]);
    expect((await converge(host, linkResource, { path, state: 'absent' })).announced).toEqual([]);
    expect(readdirSync(host.root)).toEqual([]);
  });

  it('replaces a file or a full directory only with force', async () => {
    writeFileSync(host.path('f'), 'x');
    mkdirSync(host.path('d', 'e'), { recursive: true });
    writeFileSync(host.path('d', 'e', 'x'), '');
    for (const name of ['f', 'd']) {
      const wanted = { path: host.path(name), state: 'present' as const, target: 't' };
      expect(await codeOf(converge(host, linkResource, wanted))).toBe('file.wrong-type');
      const { announced, left } = await converge(host, linkResource, { ...wanted, force: true });
      expect(acts(announced)).toEqual(['update state']);
      expect(left).toEqual([]);
    }
  });

  it('removes something else only with force', async () => {
    mkdirSync(host.path('d', 'e'), { recursive: true });
    const wanted = { path: host.path('d'), state: 'absent' as const };
    expect(await codeOf(converge(host, linkResource, wanted))).toBe('file.wrong-type');
    expect((await converge(host, linkResource, { ...wanted, force: true })).left).toEqual([]);
  });

  it('never touches what a link leads to', async () => {
    mkdirSync(host.path('real'));
    writeFileSync(host.path('real', 'x'), '');
    symlinkSync('real', host.path('l'));
    await converge(host, linkResource, { path: host.path('l'), state: 'absent', force: true });
    expect(readdirSync(host.path('real'))).toEqual(['x']);
  });

  it('needs a target and a parent', async () => {
    const check = (wanted: object) =>
      codeOf(Promise.resolve(linkResource.check(host.reader, wanted as never, applying)));
    expect(await check({ path: host.path('l'), state: 'present' })).toBe('resource.failed');
    expect(await check({ path: host.path('no', 'l'), state: 'present', target: 'x' })).toBe(
      'file.parent-missing',
    );
  });
});
