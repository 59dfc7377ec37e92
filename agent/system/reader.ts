/**
 * SystemReader on a POSIX host: looks, asks, remembers for one run.
 * Invariant: opens for reading only, never blocks on a pipe or device, and reads a bounded amount.
 * Never changes the host; programs go through the closed vocabulary of queries.ts.
 */

import type { BigIntStats, Stats } from 'node:fs';
import type { Content } from '../protocol/blob.ts';
import type { Facts } from '../protocol/facts.ts';
import { refusal } from '../protocol/problem-codes.ts';
import { accountsKey, groupsKey, parseAccounts, parseGroups, readDatabase } from './accounts.ts';
import { type Files, Ground, type OpenFile, threads } from './at-once.ts';
import type { ContentReader } from './content-reader.ts';
import { errnoOf, guarded, orUndefined } from './errors.ts';
import { type EnvironmentBase, runProgram } from './exec.ts';
import { constants, createHash, readdir, readlink } from './platform.ts';
import { verifyQuery } from './queries.ts';
import type { Account, FileStat, FileType, Query, RunResult, SystemReader, UnixGroup } from './system.ts';

/** Default limit of readFile. */
const readLimit = 16 * 1024 * 1024;
const pieceSize = 256 * 1024;
/** Where `once` remembers the ground: to be forgotten when it may have changed. */
export const groundKey = 'ground';
/** Seconds a query may take. */
const queryTimeout = 120;

export interface SystemOptions {
  readonly facts: Facts;
  readonly contents: ContentReader;
  /** Ends programs that run. */
  readonly signal?: AbortSignal | undefined;
  /** What `once` remembers; one map a run. */
  readonly memory: Map<string, Promise<unknown>>;
  readonly onOutput?: ((stream: 'stdout' | 'stderr', text: string) => void) | undefined;
  /** What programs get as PATH, HOME and USER; default this process's. */
  readonly base?: EnvironmentBase | undefined;
}

export class PosixReader implements SystemReader {
  readonly facts: Facts;
  protected readonly options: SystemOptions;

  constructor(options: SystemOptions) {
    this.facts = options.facts;
    this.options = options;
  }

  async stat(path: string): Promise<FileStat | undefined> {
    return guarded('read', `look at ${path}`, async () => {
      const stats = await (await this.files(path)).lstat(path);
      return stats && describe(stats);
    });
  }

  async readFile(path: string, limit: number = readLimit): Promise<Buffer | undefined> {
    return reading(path, await this.files(path), async (handle, stats) => {
      const content = await contentOf(handle, stats, limit);
      if (content.length <= limit) return content;
      throw refusal('file.too-large', `${path} is larger than ${limit} bytes`);
    });
  }

  async sha256(path: string): Promise<string | undefined> {
    return reading(path, await this.files(path), async (handle, stats) => {
      const known = this.options.memory.get(stampOf(stats));
      if (known) return known as Promise<string>;
      const hash = createHash('sha256');
      for await (const part of pieces(handle, stats.size)) hash.update(part);
      return hash.digest('hex');
    });
  }

  async readLink(path: string): Promise<string> {
    return guarded('read', `read the link ${path}`, () => readlink(path));
  }

  async list(path: string): Promise<readonly string[]> {
    return guarded('read', `list ${path}`, async () => {
      const names = (await orUndefined(readdir(path), ['ENOENT'])) ?? [];
      return names.sort();
    });
  }

  accounts(): Promise<readonly Account[]> {
    return this.once(accountsKey, async () => parseAccounts(await readDatabase(this, 'passwd')));
  }

  groups(): Promise<readonly UnixGroup[]> {
    return this.once(groupsKey, async () => parseGroups(await readDatabase(this, 'group')));
  }

  async query(query: Query): Promise<RunResult> {
    verifyQuery(query);
    return runProgram([query.program, ...query.args], {
      base: this.options.base,
      signal: this.options.signal,
      timeout: queryTimeout,
      env: { LC_ALL: 'C', SYSTEMD_COLORS: '0' },
    });
  }

  held(content: Content): Buffer | undefined {
    return this.options.contents.held(content);
  }

  once<T>(key: string, read: () => Promise<T>): Promise<T> {
    const { memory } = this.options;
    const known = memory.get(key);
    if (known) return known as Promise<T>;
    const reading = read();
    memory.set(key, reading);
    reading.catch(() => {
      if (memory.get(key) === reading) memory.delete(key);
    });
    return reading;
  }

  report(stream: 'stdout' | 'stderr', text: string): void {
    this.options.onOutput?.(stream, text);
  }

  /** How the file at a path is to be reached. */
  protected async files(path: string): Promise<Files> {
    const ground = await this.once(groundKey, async () => new Ground());
    return ground.at(path).catch(() => threads);
  }
}

/** Opens a regular file (through links) for `use`; undefined when nothing is there. */
export function reading<T>(
  path: string,
  files: Files,
  use: (handle: OpenFile, stats: BigIntStats) => Promise<T>,
): Promise<T | undefined> {
  return guarded('read', `read ${path}`, async () => {
    const handle = await orUndefined(openToRead(path, files));
    if (!handle) return undefined;
    try {
      const stats = await handle.stat({ bigint: true });
      if (!stats.isFile()) {
        throw refusal('file.wrong-type', `${path} is not a regular file`);
      }
      return await use(handle, stats);
    } finally {
      await handle.close();
    }
  });
}

/** A link may lead anywhere, so it is followed on a thread. */
async function openToRead(path: string, files: Files): Promise<OpenFile> {
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  try {
    return await files.open(path, flags | constants.O_NOFOLLOW);
  } catch (error) {
    if (errnoOf(error) !== 'ELOOP') throw error;
    return threads.open(path, flags);
  }
}

/** What is in a file; of one that is larger than `limit`, more than that many bytes of it. */
export async function contentOf(
  handle: OpenFile,
  { size: expected }: BigIntStats,
  limit: number,
): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of pieces(handle, expected)) {
    size += part.length;
    parts.push(Buffer.from(part));
    if (size > limit) break;
  }
  return Buffer.concat(parts);
}

/** Tells a file from others, and from itself before a change: under it the memory of a run has the hash of what was just written. */
export function stampOf({ dev, ino, size, mtimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs].join();
}

/** Permission bits of a stat as four octal digits. */
export function modeText(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0');
}

function describe(stats: Stats): FileStat {
  return {
    type: typeOf(stats),
    size: stats.size,
    mode: modeText(stats.mode),
    uid: stats.uid,
    gid: stats.gid,
    modifiedMs: stats.mtimeMs,
  };
}

function typeOf(stats: Stats): FileType {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  return stats.isSymbolicLink() ? 'link' : 'other';
}

/** What is left of a file, piece by piece; each piece is gone with the next. */
async function* pieces(handle: OpenFile, size: bigint): AsyncGenerator<Buffer> {
  // The kernel says of what it makes up while it is read that it is empty.
  const buffer = Buffer.allocUnsafe(size > 0 && size < pieceSize ? Number(size) + 1 : pieceSize);
  for (;;) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, null);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}
