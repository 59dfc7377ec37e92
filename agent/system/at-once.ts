/**
 * Two ways to reach files: on Node's threads, or at once, which takes a twentieth of the time.
 * Invariant: at once only what lies on the host's own file systems, by its table of mounts: what hangs must hang a thread, never a
 * heartbeat; fsync, more than a few bytes and what is behind a link are left to threads; the event loop gets its turn in between.
 * Never goes by mounts and links from before a program ran.
 */

import type { Stats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { orUndefined } from './errors.ts';
import { mountTablePath, parseMounts } from './mount-table.ts';
import {
  closeSync,
  dirname,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsync,
  lstat,
  lstatSync,
  open,
  openSync,
  read,
  readFileSync,
  readSync,
  rename,
  renameSync,
  resolve,
  write,
  writeSync,
} from './platform.ts';

/** So many bytes at most are read or written at once. */
const fewBytes = 64 * 1024;

/** Milliseconds after which the event loop gets its turn. */
const turnAfter = 5;

/** File systems that wait for nobody but the host's own disks. */
const ownTypes = new Set('bcachefs btrfs ext2 ext3 ext4 f2fs overlay ramfs rootfs tmpfs xfs zfs'.split(' '));

/** What is asked of an open file. */
export interface OpenFile extends Pick<FileHandle, 'chmod' | 'chown' | 'close' | 'stat' | 'sync'> {
  read(buffer: Buffer, offset: number, length: number, position: null): Promise<{ bytesRead: number }>;
  write(bytes: Buffer, offset: number, length: number): Promise<{ bytesWritten: number }>;
}

/** One way to reach files. */
export interface Files {
  /** Undefined when nothing is there. */
  lstat(path: string): Promise<Stats | undefined>;
  open(path: string, flags: number, mode?: number): Promise<OpenFile>;
  rename(from: string, to: string): Promise<void>;
}

export const threads: Files = { lstat: (path) => orUndefined(lstat(path)), open, rename };

const atOnce: Files = {
  lstat: async (path) => lstatSync(path, { throwIfNoEntry: false }),
  open: async (path, flags, mode) => opened(openSync(path, flags, mode)),
  rename: async (from, to) => renameSync(from, to),
};

const fsyncLater = promisify(fsync);
const readLater = promisify(read);
const writeLater = promisify(write);

function opened(fd: number): OpenFile {
  return {
    chmod: async (mode) => fchmodSync(fd, mode as number),
    chown: async (uid, gid) => fchownSync(fd, uid, gid),
    close: async () => closeSync(fd),
    stat: (async (options?: { bigint: true }) => fstatSync(fd, options)) as FileHandle['stat'],
    sync: () => fsyncLater(fd),
    read: async (buffer, offset, length, position) =>
      length > fewBytes
        ? readLater(fd, buffer, offset, length, position)
        : { bytesRead: readSync(fd, buffer, offset, length, position) },
    write: async (bytes, offset, length) =>
      length > fewBytes
        ? writeLater(fd, bytes, offset, length)
        : { bytesWritten: writeSync(fd, bytes, offset, length) },
  };
}

/** A small file whose directory has answered, or one of the kernel's own; undefined when it cannot be read. */
export function readAtOnce(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** The mounts of this host as they are now, and what lies on them. */
export class Ground {
  /** Where something else than a file system of the host's own is mounted. */
  readonly #foreign = new Set<string>();
  /** Directories that are reached through nothing foreign and no link; in a chroot the table need not tell about the root. */
  readonly #own = new Set<string>();
  #turned = performance.now();

  constructor() {
    for (const { path, type } of parseMounts(readAtOnce(mountTablePath) ?? '')) {
      if (!ownTypes.has(type)) this.#foreign.add(path);
      else if (path === '/') this.#own.add(path);
    }
  }

  /** How what stands at a path is to be reached. */
  async at(path: string): Promise<Files> {
    if (performance.now() - this.#turned > turnAfter) {
      await new Promise((turned) => setImmediate(turned));
      this.#turned = performance.now();
    }
    const directory = dirname(path);
    const isClean = resolve(directory) === directory;
    return isClean && !this.#foreign.has(resolve(path)) && this.#isOwn(directory) ? atOnce : threads;
  }

  /** Each look goes no further than one step into what is known to be the host's own. */
  #isOwn(directory: string): boolean {
    if (this.#foreign.has(directory)) return false;
    if (this.#own.has(directory)) return true;
    if (directory === '/' || !this.#isOwn(dirname(directory))) return false;
    const isThere = lstatSync(directory, { throwIfNoEntry: false })?.isDirectory() === true;
    if (isThere) this.#own.add(directory);
    return isThere;
  }
}
