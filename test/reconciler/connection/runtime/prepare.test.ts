import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readWhole } from '../../../../reconciler/base/content.ts';
import { forgetPayloads, preparePayload } from '../../../../reconciler/connection/runtime/prepare.ts';
import { temporaryDirectories } from '../../../helpers/temporary-directory.ts';
import { fakeBuild } from './fake-runtime.ts';

const fresh = temporaryDirectories();
const hash = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

describe('preparing a build for the way', () => {
  it.each([
    ['zstd', zstdDecompressSync],
    ['gzip', gunzipSync],
    ['none', (bytes: Buffer) => bytes],
  ] as const)('packs it with %s, and knows both hashes', async (compression, unpack) => {
    const folder = fresh();
    const build = fakeBuild(folder);
    const payload = await preparePayload(build, compression, join(folder, 'cache'));
    const bytes = await readWhole(await payload.open());
    expect([payload.sha256, payload.size]).toEqual([hash(bytes), bytes.length]);
    expect([payload.raw.sha256, payload.raw.size]).toEqual([hash(unpack(bytes)), unpack(bytes).length]);
    expect(unpack(bytes).equals(readFileSync(build.file))).toBe(true);
  });

  it('leaves out the symbols of a program', async () => {
    const folder = fresh();
    const build = { platform: 'linux-x64', version: '24.0.0', file: '/bin/true' } as const;
    const payload = await preparePayload(build, 'none', folder);
    expect(payload.raw.size).toBeLessThanOrEqual(statSync('/bin/true').size);
    expect((await readWhole(await payload.open())).subarray(1, 4).toString()).toBe('ELF');
  });

  it('packs once, keeps it for nobody else to read, and keeps nothing of other versions', async () => {
    const folder = fresh();
    const build = fakeBuild(folder);
    const cache = join(folder, 'cache');
    for (const old of ['22.1.0-linux-x64', 'node-22.1.0-linux-arm64']) {
      mkdirSync(join(cache, old), { recursive: true });
      writeFileSync(join(cache, old, 'node'), '');
    }
    mkdirSync(join(cache, 'notes'));
    const first = await preparePayload(build, 'gzip', cache);
    rmSync(build.file);
    const { ino } = statSync(join(cache, '24.0.0-linux-x64/node.gz'));
    expect(await preparePayload(build, 'gzip', cache)).toMatchObject({ sha256: first.sha256 });
    expect(statSync(join(cache, '24.0.0-linux-x64/node.gz')).ino).toBe(ino);
    expect(readdirSync(cache).sort()).toEqual(['24.0.0-linux-x64', 'notes']);
    expect(statSync(join(cache, '24.0.0-linux-x64')).mode & 0o777).toBe(0o700);
  });

  it('gives the same to all who prepare at once', async () => {
    const folder = fresh();
    const build = fakeBuild(folder);
    const all = await Promise.all(
      ['gzip', 'zstd', 'gzip', 'none'].map((each) =>
        preparePayload(build, each as 'gzip', join(folder, 'cache')),
      ),
    );
    expect(new Set(all.map(({ raw }) => raw.sha256)).size).toBe(1);
    for (const payload of all) expect(hash(await readWhole(await payload.open()))).toBe(payload.sha256);
    const left = readdirSync(join(folder, 'cache/24.0.0-linux-x64'));
    expect(left.filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('makes anew what is cut, and removes what a dead process left', async () => {
    const folder = fresh();
    const build = fakeBuild(folder);
    const own = join(folder, 'cache/24.0.0-linux-x64');
    const { sha256 } = await preparePayload(build, 'gzip', join(folder, 'cache'));
    writeFileSync(join(own, 'node.gz'), 'cut');
    writeFileSync(join(own, '.999999999-abc'), 'left');
    writeFileSync(join(own, `.${process.pid}-abc`), 'being written');
    writeFileSync(join(own, '.1-abc'), 'being written by somebody else');
    expect(await preparePayload(build, 'gzip', join(folder, 'cache'))).toMatchObject({ sha256 });
    const kept = readdirSync(own).filter((name) => name.startsWith('.'));
    expect(kept.sort()).toEqual(['.1-abc', `.${process.pid}-abc`]);
    await forgetPayloads(build, join(folder, 'cache'));
    expect(readdirSync(join(folder, 'cache'))).toEqual([]);
  });

  it('fails when there is no build', async () => {
    const build = { platform: 'linux-x64', version: '24.0.0', file: '/nowhere/node' } as const;
    await expect(preparePayload(build, 'gzip', fresh())).rejects.toThrow('ENOENT');
  });
});
