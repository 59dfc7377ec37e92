/**
 * Files too large to be held: hashed in one pass, read piece by piece.
 * Invariant: bytes are handed out only while the file is the one that was hashed, by its stamp before and after each read.
 * Never holds more than a piece.
 */

import { createHash } from 'node:crypto';
import { type BigIntStats, createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { ProblemError } from '../../agent/protocol/problem.ts';
import type { ContentReader } from '../base/content.ts';
import { sourceProblem } from '../base/problem-codes/source.ts';
import { type Stamp, sameStamp, toStamp } from './tree-look.ts';

const pieceBytes = 1024 * 1024;

/** What one pass over a file finds out: git's id of the bytes, and their identity as content. */
export interface FileHashes {
  readonly id: string;
  readonly sha256: string;
  readonly size: number;
}

/** Hashes a file of `size` bytes; undefined when it is gone or has another size. */
export async function hashFile(path: string, size: number): Promise<FileHashes | undefined> {
  const git = createHash('sha1').update(`blob ${size}\0`);
  const sha256 = createHash('sha256');
  let seen = 0;
  try {
    for await (const piece of createReadStream(path, { highWaterMark: pieceBytes })) {
      seen += (piece as Buffer).length;
      if (seen > size) return undefined;
      git.update(piece as Buffer);
      sha256.update(piece as Buffer);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    const message = error instanceof Error ? error.message : String(error);
    throw new ProblemError(sourceProblem('source.unreadable', message, { where: { file: path } }));
  }
  return seen === size ? { id: git.digest('hex'), sha256: sha256.digest('hex'), size } : undefined;
}

/** Opens a file of a tree whose state was this one. */
export async function openLargeFile(root: string, path: string, stamp: Stamp): Promise<ContentReader> {
  const handle = await open(join(root, path), 'r').catch(() => undefined);
  if (handle === undefined) throw changed(path);
  const reader = readerOf(handle, path, stamp);
  await reader.read(0, 0).catch(async (error: unknown) => {
    await reader.close();
    throw error;
  });
  return reader;
}

function readerOf(handle: FileHandle, path: string, stamp: Stamp): ContentReader {
  let closed: Promise<void> | undefined;
  return {
    size: Number(stamp.size),
    async read(offset, count, into) {
      const piece = await readPiece(
        handle,
        offset,
        roomFor(Math.min(count, Number(stamp.size) - offset), into),
      );
      const now: BigIntStats = await handle.stat({ bigint: true });
      if (piece === undefined || !sameStamp(toStamp(now), stamp)) throw changed(path);
      return piece;
    },
    close() {
      closed ??= handle.close();
      return closed;
    },
  };
}

/** Room for `count` bytes: in `into` when there is one. */
export function roomFor(count: number, into: Buffer | undefined): Buffer {
  return into === undefined
    ? Buffer.allocUnsafeSlow(Math.max(0, count))
    : into.subarray(0, Math.max(0, count));
}

/** Fills a piece with the bytes from `offset` on; undefined when the file has fewer. */
export async function readPiece(
  handle: FileHandle,
  offset: number,
  piece: Buffer,
): Promise<Buffer | undefined> {
  for (let done = 0; done < piece.length; ) {
    const { bytesRead } = await handle.read(piece, done, piece.length - done, offset + done);
    if (bytesRead === 0) return undefined;
    done += bytesRead;
  }
  return piece;
}

function changed(path: string): ProblemError {
  const message = `${path} changed after the tree was read`;
  return new ProblemError(sourceProblem('source.file-changed', message, { where: { file: path } }));
}
