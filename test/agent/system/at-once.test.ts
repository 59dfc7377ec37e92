/**
 * Which paths are reached at once and which on threads, and that the event loop turns whichever way is taken.
 * Invariant: whoever runs this has temporary files on a disk or in memory, as every host has.
 * Never a timing assertion.
 */

import { execFileSync } from 'node:child_process';
import { constants, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Ground, threads } from '../../../agent/system/at-once.ts';
import { groundKey } from '../../../agent/system/reader.ts';
import { type TestHost, testHost } from '../test-host.ts';
import { mayMount } from './may-mount.ts';

let host: TestHost;
beforeEach(() => {
  host = testHost();
});
afterEach(() => host.remove());

const isAtOnce = async (path: string, ground = new Ground()) => (await ground.at(path)) !== threads;

describe('a path', () => {
  it('is reached at once on the own file systems, whether something is there or not', async () => {
    writeFileSync(host.path('f'), '');
    expect(await isAtOnce(host.path('f'))).toBe(true);
    expect(await isAtOnce(host.path('missing'))).toBe(true);
    expect(await isAtOnce(`${host.root}/.`)).toBe(true);
  });

  it('is reached on a thread behind a link, in another kind of file system, and where nobody knows', async () => {
    mkdirSync(host.path('d'));
    symlinkSync('d', host.path('l'));
    const paths = ['l/f', 'l/.', 'missing/f', 'd/../f', 'd//f/g'].map((path) => `${host.root}/${path}`);
    for (const path of [...paths, '/proc', '/proc/self/stat', 'relative', ''])
      expect([path, await isAtOnce(path)]).toEqual([path, false]);
  });

  it('is looked at anew when its directory was made', async () => {
    const ground = new Ground();
    expect(await isAtOnce(host.path('d', 'f'), ground)).toBe(false);
    mkdirSync(host.path('d'));
    expect(await isAtOnce(host.path('d', 'f'), ground)).toBe(true);
  });

  it('is looked at anew when its directory gave way to a link', async () => {
    await host.system.makeDirectory(host.path('d'), {});
    await host.system.replaceFile(host.path('d', 'f'), { text: '' }, {});
    await host.system.remove(host.path('d'), { recursive: true });
    await host.system.makeLink(host.path('d'), '/proc');
    const ground = await host.system.once(groundKey, async () => new Ground());
    expect(await isAtOnce(host.path('d', 'uptime'), ground)).toBe(false);
    expect((await host.reader.readFile(host.path('d', 'uptime')))?.toString()).toMatch(/^\d/);
  });

  it.runIf(mayMount())('is known by what is mounted at it and above it', async () => {
    for (const name of ['m', 'p']) mkdirSync(host.path(name));
    execFileSync('mount', ['-t', 'tmpfs', 'towline-test', host.path('m')]);
    execFileSync('mount', ['-t', 'proc', 'towline-test', host.path('p')]);
    try {
      expect(await isAtOnce(host.path('m'))).toBe(true);
      expect(await isAtOnce(host.path('m', 'f'))).toBe(true);
      for (const path of [host.path('p'), `${host.path('p')}/`, host.path('p', '.'), host.path('p', 'f')])
        expect(await isAtOnce(path)).toBe(false);
    } finally {
      for (const name of ['m', 'p']) execFileSync('umount', [host.path(name)]);
    }
  });
});

describe('what is reached at once', () => {
  it('is written and read whole, be it much or little', async () => {
    const files = await new Ground().at(host.path('f'));
    for (const size of [0, 1, 64 * 1024, 64 * 1024 + 1, 1_000_000]) {
      const bytes = Buffer.alloc(size, 'abc');
      const made = await files.open(host.path('f'), constants.O_RDWR | constants.O_CREAT, 0o600);
      expect((await made.write(bytes, 0, size)).bytesWritten).toBe(size);
      await made.sync();
      await made.close();
      expect(readFileSync(host.path('f')).equals(bytes)).toBe(true);
      const opened = await files.open(host.path('f'), constants.O_RDONLY);
      const buffer = Buffer.alloc(size + 1);
      expect((await opened.read(buffer, 0, size + 1, null)).bytesRead).toBe(size);
      expect((await opened.stat()).size).toBe(size);
      await opened.close();
      expect(buffer.subarray(0, size).equals(bytes)).toBe(true);
    }
  });

  it('fails as a promise', async () => {
    const files = await new Ground().at(host.path('f'));
    await expect(files.lstat(host.path('f'.repeat(300)))).rejects.toMatchObject({ code: 'ENAMETOOLONG' });
    await expect(files.open(host.root, constants.O_WRONLY)).rejects.toMatchObject({ code: 'EISDIR' });
  });

  it('lets the event loop turn', async () => {
    let turned = false;
    setImmediate(() => {
      turned = true;
    });
    for (let looks = 0; !turned && looks < 100_000; looks += 1) await host.reader.stat(host.root);
    expect(turned).toBe(true);
  });

  it('follows a link on the way to a content', async () => {
    writeFileSync(host.path('f'), 'abc');
    symlinkSync('f', host.path('l'));
    expect((await host.reader.readFile(host.path('l')))?.toString()).toBe('abc');
    expect(await host.reader.sha256(host.path('l'))).toBe(await host.reader.sha256(host.path('f')));
  });
});
