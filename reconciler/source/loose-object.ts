/**
 * Blobs that lie in a file of their own: their size from the first bytes, their content as a stream.
 * Invariant: a header is judged before anything is inflated; what is no loose blob is undefined, never an error.
 * Reads only.
 */

import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { constants, createInflate, inflateSync } from 'node:zlib';

const headBytes = 64;
const pieceBytes = 256 * 1024;

/** The size of a blob that is loose in this repository; undefined when it is not. */
export async function looseBlobSize(gitDirectory: string, id: string): Promise<number | undefined> {
  const handle = await open(loosePath(gitDirectory, id), 'r').catch(() => undefined);
  if (handle === undefined) return undefined;
  try {
    const packed = Buffer.alloc(headBytes);
    const { bytesRead } = await handle.read(packed, 0, headBytes, 0);
    const head = inflateSync(packed.subarray(0, bytesRead), { finishFlush: constants.Z_SYNC_FLUSH });
    const size = /^blob (\d{1,15})\0/.exec(head.toString('latin1', 0, headBytes))?.[1];
    return size === undefined ? undefined : Number(size);
  } catch {
    return undefined;
  } finally {
    await handle.close();
  }
}

/** Hands the bytes of a loose blob on, piece by piece; fails when the object is damaged. */
export async function inflateLooseBlob(
  gitDirectory: string,
  id: string,
  take: (piece: Buffer) => Promise<unknown>,
): Promise<void> {
  const inflate = createInflate({ chunkSize: pieceBytes });
  const packed = createReadStream(loosePath(gitDirectory, id), { highWaterMark: pieceBytes });
  await pipeline(packed, inflate, async (pieces: AsyncIterable<Buffer>) => {
    let isHead = true;
    for await (const piece of pieces) {
      await take(isHead ? piece.subarray(piece.indexOf(0) + 1) : piece);
      isHead = false;
    }
  });
}

function loosePath(gitDirectory: string, id: string): string {
  return join(gitDirectory, 'objects', id.slice(0, 2), id.slice(2));
}
