import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { findBuild } from '../../../../reconciler/connection/runtime/builds.ts';
import {
  type Platform,
  pinnedBuilds,
  pinnedVersion,
} from '../../../../reconciler/connection/runtime/pinned-builds.ts';
import { temporaryDirectories } from '../../../helpers/temporary-directory.ts';

const fresh = temporaryDirectories();
const platform: Platform = 'linux-arm64';
const { packageName } = pinnedBuilds[platform];
const hasNpm = spawnSync('npm', ['--version']).status === 0;
const servers: Server[] = [];
const variables = ['npm_config_registry', 'npm_config_cache', 'npm_config_fetch_retries'] as const;

afterEach(() => {
  for (const name of variables) delete process.env[name];
  for (const server of servers.splice(0)) server.close();
});

/** The package as the registry has it, and its SHA-512. */
function packed(content: string): { readonly bytes: Buffer; readonly integrity: string } {
  const folder = fresh();
  mkdirSync(join(folder, 'package/bin'), { recursive: true });
  writeFileSync(
    join(folder, 'package/package.json'),
    JSON.stringify({ name: packageName, version: pinnedVersion }),
  );
  writeFileSync(join(folder, 'package/bin/node'), content, { mode: 0o755 });
  spawnSync('tar', ['-czf', 'p.tgz', 'package'], { cwd: folder });
  const bytes = readFileSync(join(folder, 'p.tgz'));
  return { bytes, integrity: `sha512-${createHash('sha512').update(bytes).digest('base64')}` };
}

/** A registry that has this package, for the npm that is started next; gives what was asked of it. */
async function registry({ bytes, integrity }: ReturnType<typeof packed>): Promise<string[]> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    if (request.url?.endsWith('.tgz')) return void response.end(bytes);
    const { port } = server.address() as AddressInfo;
    const dist = { tarball: `http://127.0.0.1:${port}/p.tgz`, integrity };
    const version = { name: packageName, version: pinnedVersion, dist };
    response.end(JSON.stringify({ name: packageName, versions: { [pinnedVersion]: version } }));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  return asked;
}

function use(address: string): void {
  process.env.npm_config_registry = address;
  process.env.npm_config_cache = fresh();
  process.env.npm_config_fetch_retries = '0';
}

/** Where no package is installed. */
function nowhere(): { readonly folder: string; readonly from: string } {
  const folder = fresh();
  return { folder: join(folder, 'cache'), from: pathToFileURL(join(folder, 'here.js')).href };
}

describe('finding a build', () => {
  it('takes the package that is installed, of the pinned version only', async () => {
    const folder = fresh();
    const own = join(folder, 'node_modules', packageName);
    mkdirSync(join(own, 'bin'), { recursive: true });
    writeFileSync(join(own, 'bin/node'), '');
    const places = { folder: join(folder, 'cache'), from: pathToFileURL(join(folder, 'here.js')).href };
    const version = (wanted: string): void =>
      writeFileSync(join(own, 'package.json'), JSON.stringify({ name: packageName, version: wanted }));
    version(pinnedVersion);
    expect(await findBuild(platform, places)).toEqual({
      ok: true,
      value: { platform, version: pinnedVersion, file: join(own, 'bin/node') },
    });
    version('1.0.0');
    use('http://127.0.0.1:1/');
    const found = await findBuild(platform, { ...places, folder: join(folder, 'other') });
    expect(found.ok).toBe(false);
  });

  it('takes the Node it runs on for its own platform, where that is one of Node’s own builds', async () => {
    const own = `${process.platform}-${process.arch}` as Platform;
    if (!(own in pinnedBuilds)) return;
    use('http://127.0.0.1:1/');
    const found = await findBuild(own, nowhere());
    const isOwnBuild = !Object.entries(process.config.variables).some(
      ([name, value]) => name.startsWith('node_shared') && value === true,
    );
    if (isOwnBuild) expect(found).toMatchObject({ value: { file: process.execPath } });
    else expect(found).toMatchObject({ problem: { code: 'runtime.no-build' } });
  });

  it.skipIf(!hasNpm)('fetches the package once from the registry', async () => {
    const pack = packed('#!/bin/sh\n');
    const asked = await registry(pack);
    const places = { ...nowhere(), integrity: { ...hashes, [platform]: pack.integrity } };
    const found = await findBuild(platform, places);
    if (!found.ok) throw new Error(found.problem.message);
    expect(readFileSync(found.value.file, 'utf8')).toBe('#!/bin/sh\n');
    expect(readdirSync(places.folder)).toEqual([`node-${pinnedVersion}-${platform}`]);
    expect(asked.filter((path) => path.endsWith('.tgz'))).toHaveLength(1);
    expect(await findBuild(platform, places)).toEqual(found);
    expect(asked.filter((path) => path.endsWith('.tgz'))).toHaveLength(1);
  });

  it.skipIf(!hasNpm)('does not use what has another hash than the lock file says', async () => {
    await registry(packed('something else'));
    const places = nowhere();
    expect(await findBuild(platform, places)).toMatchObject({
      problem: { code: 'runtime.no-build', message: expect.stringContaining('is not the package expected') },
    });
    expect(readdirSync(places.folder)).toEqual([]);
  });

  it('says which package is missing when there is no way to the registry', async () => {
    use('http://127.0.0.1:1/');
    expect(await findBuild(platform, nowhere())).toMatchObject({
      problem: {
        code: 'runtime.no-build',
        message: expect.stringContaining(`${packageName}@${pinnedVersion} cannot be fetched`),
        disposition: 'stalled',
      },
    });
  });
});

const hashes = { 'linux-x64': '', 'linux-arm64': '' };
