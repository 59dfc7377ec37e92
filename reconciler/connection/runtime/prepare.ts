/**
 * Makes a build ready for the way, once: without symbols, compressed, hashed, kept in the controller's cache.
 * Invariant: a file of the cache is whole or absent, whoever else works there; only the present version is kept.
 * Never holds a build in memory.
 */

import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import {
  chmod,
  copyFile,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PassThrough, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { constants, createGzip, createZstdCompress } from 'node:zlib';
import type { ContentReader } from '../../base/content.ts';
import type { RuntimeBuild } from './builds.ts';
import type { Compression } from './probe.ts';

/** Bytes on this machine that a host is to get. */
export interface Payload {
  readonly compression: Compression;
  readonly sha256: string;
  readonly size: number;
  /** The unpacked file. */
  readonly raw: { readonly sha256: string; readonly size: number };
  open(): Promise<ContentReader>;
}

interface Made {
  readonly sha256: string;
  readonly size: number;
  /** SHA-256 of the unpacked file. */
  readonly of: string;
}

const exec = promisify(execFile);

/**
 * Levels chosen for the time it takes: of the stripped file of 108 MB, zstd 6 makes 36 MB in 1.5 s and zstd 19 30 MB in 48 s;
 * gzip 6 makes 41 MB in 3 s.
 */
const packers: { readonly [C in Compression]: { readonly suffix: string; make(): Transform } } = {
  zstd: {
    suffix: '.zst',
    make: () => createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 6 } }),
  },
  gzip: { suffix: '.gz', make: () => createGzip({ level: 6 }) },
  none: { suffix: '', make: () => new PassThrough() },
};

/** The payload of a build. Throws as the file system does. */
export async function preparePayload(
  build: RuntimeBuild,
  compression: Compression,
  folder: string,
): Promise<Payload> {
  const own = join(folder, `${build.version}-${build.platform}`);
  await mkdir(own, { recursive: true, mode: 0o700 });
  await removeOthers(folder, build.version);
  await removeUnfinished(own);
  const file = join(own, 'node');
  const raw = (await readMade(file)) ?? (await makeRaw(build, file));
  const packed = `${file}${packers[compression].suffix}`;
  const kept = compression === 'none' ? raw : await readMade(packed);
  const made = kept?.of === raw.sha256 ? kept : await pack(file, packed, compression, raw.sha256);
  const { sha256, size } = made;
  return { compression, sha256, size, raw, open: () => openFile(packed, size) };
}

/** Forgets what was prepared of a build: it arrived damaged somewhere. */
export async function forgetPayloads(build: RuntimeBuild, folder: string): Promise<void> {
  await rm(join(folder, `${build.version}-${build.platform}`), { recursive: true, force: true });
}

/** What is kept of other versions. */
async function removeOthers(folder: string, version: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const ours = /^(node-)?(\d+\.\d+\.\d+)-linux-(x64|arm64)$/.exec(name);
    if (ours !== null && ours[2] !== version) await rm(join(folder, name), { recursive: true, force: true });
  }
}

/** What a process that is no more left half written. */
async function removeUnfinished(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const [, writer] = /^\.(\d+)-/.exec(name) ?? [];
    if (writer !== undefined && !isAlive(Number(writer))) await rm(join(folder, name), { force: true });
  }
}

function isAlive(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function makeRaw(build: RuntimeBuild, file: string): Promise<Made> {
  return writeWhole(file, async (unfinished) => {
    await exec('strip', ['-o', unfinished, build.file], { timeout: 120_000 }).catch(() =>
      // No strip here, or one that does not know the platform: the file is larger, and as good.
      copyFile(build.file, unfinished),
    );
    await chmod(unfinished, 0o700);
    const made = await hashFile(unfinished);
    return { ...made, of: made.sha256 };
  });
}

async function pack(file: string, packed: string, compression: Compression, of: string): Promise<Made> {
  return writeWhole(packed, async (unfinished) => {
    const source = createReadStream(file, { highWaterMark: 1 << 20 });
    await pipeline(source, packers[compression].make(), createWriteStream(unfinished, { mode: 0o600 }));
    return { ...(await hashFile(unfinished)), of };
  });
}

/** The file first, then the note that says it is whole. */
async function writeWhole(file: string, write: (unfinished: string) => Promise<Made>): Promise<Made> {
  const unfinished = join(dirname(file), `.${process.pid}-${randomBytes(6).toString('hex')}`);
  try {
    const made = await write(unfinished);
    await rename(unfinished, file);
    await writeFile(unfinished, JSON.stringify(made), { mode: 0o600 });
    await rename(unfinished, `${file}.json`);
    return made;
  } finally {
    await rm(unfinished, { force: true });
  }
}

async function readMade(file: string): Promise<Made | undefined> {
  try {
    const made = JSON.parse(await readFile(`${file}.json`, 'utf8')) as Made;
    return (await stat(file)).size === made.size ? made : undefined;
  } catch {
    return undefined;
  }
}

async function hashFile(file: string): Promise<{ readonly sha256: string; readonly size: number }> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return { sha256: hash.digest('hex'), size: (await stat(file)).size };
}

async function openFile(file: string, size: number): Promise<ContentReader> {
  const handle = await open(file, 'r');
  return {
    size,
    async read(offset, count) {
      const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(count), 0, count, offset);
      return buffer.subarray(0, bytesRead);
    },
    close: () => handle.close(),
  };
}
