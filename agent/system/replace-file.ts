/**
 * The safe replacement of a file (DESIGN §4), step by step.
 * Invariant: a crash at any point leaves the old content or the new one at the path; a failure leaves no temporary file.
 * Never follows a link at the path; never lets content be seen under a wider mode than it ends with.
 */

import type { Stats } from 'node:fs';
import type { Content } from '../protocol/blob.ts';
import { refusal } from '../protocol/problem-codes.ts';
import type { Ids } from './accounts.ts';
import type { Files, OpenFile } from './at-once.ts';
import { discardFile } from './discard.ts';
import { errnoOf } from './errors.ts';
import { syncName } from './pinned-path.ts';
import { constants, copyFile, createHash, dirname, join, link, randomUUID, readdir } from './platform.ts';

const temporaryName = /^\.towline-(\d+)-[0-9a-f]{12}$/;
const newFileMode = 0o644;

export interface Replacement extends Ids {
  /** Bytes in order. With `expected`, their hash and size are verified before the old content goes. */
  readonly source: AsyncIterable<Buffer> | Iterable<Buffer>;
  readonly expected?: Content | undefined;

  /** Left out: as it is, or 0644 for a new file. */
  readonly mode?: number | undefined;
  /** Called with the whole temporary file before it takes the place of the old; throws to refuse it. */
  readonly validate: (temporary: string) => Promise<void>;
  /** Keep the old content under this name; the name gets a number when it is taken. */
  readonly backup?: string | undefined;
}

/** A fresh name for a temporary in the directory of `path`. It carries the process id, so that leftovers are known as such. */
export function temporaryPath(path: string): string {
  return join(dirname(path), `.towline-${process.pid}-${randomUUID().slice(-12)}`);
}

/** Replaces or makes the file. Throws errno errors and ProblemErrors as they come. */
export async function replaceFileSafely(path: string, replacement: Replacement, files: Files): Promise<void> {
  const old = await existing(path, files);
  const flags = constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | constants.O_WRONLY;
  const make = async (temporary: string) => {
    const handle = await files.open(temporary, flags, 0o600);
    try {
      const mode = await own(handle, old, replacement);
      await writeContent(handle, replacement);
      // Writing as an ordinary account clears the set-id bits.
      if ((mode & 0o6000) !== 0) await handle.chmod(mode);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await replacement.validate(temporary);
    if (old && replacement.backup !== undefined) await keep(path, replacement.backup);
  };
  await putInPlace(path, make, files);
}

/** Has something made under a temporary name and puts it at the path, durably; a failure leaves what was there, and nothing else. */
export async function putInPlace(
  path: string,
  make: (temporary: string) => Promise<void>,
  files: Files,
): Promise<void> {
  const temporary = temporaryPath(path);
  try {
    await make(temporary);
    await files.rename(temporary, path);
  } catch (error) {
    await discardFile(temporary);
    throw error;
  }
  await syncName(path, files);
}

/** Removes temporaries in a directory whose process is gone: what a kill in the middle left behind. */
export async function removeLeftovers(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const pid = Number(temporaryName.exec(name)?.[1] ?? 0);
    if (pid > 0 && pid !== process.pid && !isAlive(pid)) await discardFile(join(directory, name));
  }
}

async function existing(path: string, files: Files): Promise<Stats | undefined> {
  const stats = await files.lstat(path);
  if (!stats || stats.isFile()) return stats;
  throw refusal('file.wrong-type', `${path} exists and is not a regular file`);
}

/** An id left out is as it was, or the agent's for a new file. Owner first: changing it clears the set-id bits that the mode may hold. */
async function own(handle: OpenFile, old: Stats | undefined, wanted: Replacement): Promise<number> {
  const fresh = await handle.stat();
  const uid = wanted.uid ?? old?.uid ?? fresh.uid;
  const gid = wanted.gid ?? old?.gid ?? fresh.gid;
  if (uid !== fresh.uid || gid !== fresh.gid) await handle.chown(uid, gid);
  const mode = wanted.mode ?? (old ? old.mode & 0o7777 : newFileMode);
  await handle.chmod(mode);
  return mode;
}

/** Writes the bytes in order; with `expected`, fails with blob.corrupt unless they are that content. */
export async function writeContent(
  handle: Pick<OpenFile, 'write'>,
  { source, expected }: Pick<Replacement, 'source' | 'expected'>,
): Promise<void> {
  const hash = createHash('sha256');
  let size = 0;
  let writing = Promise.resolve();
  try {
    for await (const part of source) {
      await writing;
      // It is written while it is hashed and the next one comes.
      writing = writeAll(handle, part);
      writing.catch(() => {});
      hash.update(part);
      size += part.length;
    }
  } finally {
    await writing;
  }
  if (!expected) return;
  if (size !== expected.size || hash.digest('hex') !== expected.sha256) {
    throw refusal('blob.corrupt', `the content ${expected.sha256.slice(0, 12)} did not arrive as announced`);
  }
}

async function writeAll(handle: Pick<OpenFile, 'write'>, bytes: Buffer): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await handle.write(bytes, done, bytes.length - done)).bytesWritten;
  }
}

/** A second name for the old content; a copy where the file system has no hard links or refuses one. */
async function keep(path: string, name: string): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    const backup = attempt === 0 ? `${name}~` : `${name}.${attempt}~`;
    try {
      await link(path, backup).catch((error: unknown) => {
        if (errnoOf(error) === 'EEXIST') throw error;
        return copyFile(path, backup, constants.COPYFILE_EXCL);
      });
      return;
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST' || attempt > 99) throw error;
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) !== 'ESRCH';
  }
}
