/**
 * Many hosts that read one content: each block is read once while they are near each other, and what is kept is bounded.
 */

import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type ContentReader, heldContent, readWhole } from '../../../reconciler/base/content.ts';
import { SharedContents } from '../../../reconciler/base/shared-contents.ts';

/** What one reads for a host at a time, and what is read of the content for it. */
const piece = 256 * 1024;
const block = 4 * piece;

/** A store of one content that counts what is asked of it. */
function counting(bytes: Buffer): {
  sha256: string;
  contents: SharedContents;
  seen: { reads: number; opens: number; closes: number; bytes: number };
} {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const seen = { reads: 0, opens: 0, closes: 0, bytes: 0 };
  const held = heldContent(bytes);
  const reader: ContentReader = {
    size: held.size,
    read: async (offset, count) => {
      seen.reads += 1;
      seen.bytes += count;
      return held.read(offset, count);
    },
    close: async () => {
      seen.closes += 1;
    },
  };
  const open = async (asked: string): Promise<ContentReader | undefined> => {
    if (asked !== sha256) return undefined;
    seen.opens += 1;
    return reader;
  };
  return { sha256, contents: new SharedContents({ open }), seen };
}

async function opened(contents: SharedContents, sha256: string): Promise<ContentReader> {
  const reader = await contents.open(sha256);
  if (reader === undefined) throw new Error('it is not there');
  return reader;
}

async function readAll(reader: ContentReader): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let at = 0; at < reader.size; at += piece) parts.push(Buffer.from(await reader.read(at, piece)));
  return Buffer.concat(parts);
}

describe('a content shared by many readers', () => {
  it('is opened once and each block is read once while eight read it side by side', async () => {
    const bytes = randomBytes(20 * block + 5);
    const { sha256, contents, seen } = counting(bytes);
    const readers = await Promise.all(Array.from({ length: 8 }, () => opened(contents, sha256)));
    for (const read of await Promise.all(readers.map(readAll))) expect(read.equals(bytes)).toBe(true);
    expect(seen).toMatchObject({ opens: 1, reads: 21, closes: 0 });
    await Promise.all(readers.map((reader) => reader.close()));
    await readers[0]?.close();
    expect(seen.closes).toBe(1);
  });

  it('keeps a bounded number of blocks: one who comes far behind reads again', async () => {
    const bytes = randomBytes(30 * block);
    const { sha256, contents, seen } = counting(bytes);
    const [first, late] = [await opened(contents, sha256), await opened(contents, sha256)];
    await readAll(first);
    await late.read(29 * block, piece);
    expect(seen.reads).toBe(30);
    await late.read(0, piece);
    expect(seen.reads).toBe(32);
  });

  it('reads into the same memory again and again, and never into bytes that a reader still has', async () => {
    const bytes = randomBytes(64 * block);
    const rooms = new Set<Buffer | undefined>();
    const read: ContentReader['read'] = async (offset, count, into) => {
      rooms.add(into);
      bytes.copy(into as Buffer, 0, offset, offset + count);
      return (into as Buffer).subarray(0, Math.min(count, bytes.length - offset));
    };
    const contents = new SharedContents({
      open: async () => ({ size: bytes.length, read, close: async () => {} }),
    });
    const [slow, quick] = [await opened(contents, 'a'), await opened(contents, 'a')];
    const held = await slow.read(piece, piece);
    expect((await readAll(quick)).equals(bytes)).toBe(true);
    expect(held.equals(bytes.subarray(piece, 2 * piece))).toBe(true);
    expect(rooms.size).toBeLessThan(16);
    await slow.close();
    await quick.close();
    expect([...rooms].map((room) => room?.length)).toEqual([...rooms].map(() => 0));
  });

  it('leaves alone what is in memory anyway', async () => {
    const bytes = randomBytes(block);
    const { sha256, contents } = counting(bytes);
    const reader = await opened(contents, sha256);
    const held = await reader.read(0, piece);
    await reader.close();
    expect(held.equals(bytes.subarray(0, piece))).toBe(true);
  });

  it('gives any range, also across blocks and at the end', async () => {
    const bytes = randomBytes(2 * block + 100);
    const { sha256, contents } = counting(bytes);
    const reader = await opened(contents, sha256);
    for (const [offset, count] of [
      [block - 10, 20],
      [0, 2 * block + 100],
      [2 * block + 90, 1000],
      [2 * block + 100, 10],
      [5, 0],
    ] as const) {
      const read = await reader.read(offset, count);
      expect(read.equals(bytes.subarray(offset, offset + count))).toBe(true);
    }
    await reader.close();
  });

  it('is opened anew after the last has closed it', async () => {
    const { sha256, contents, seen } = counting(Buffer.from('text'));
    expect(String(await readWhole(await opened(contents, sha256)))).toBe('text');
    expect(String(await readWhole(await opened(contents, sha256)))).toBe('text');
    expect(seen).toMatchObject({ opens: 2, closes: 2 });
  });

  it('is not there for anybody when it is not there, and a failure is not remembered', async () => {
    const { contents } = counting(Buffer.from('text'));
    expect(await contents.open('0'.repeat(64))).toBeUndefined();
    let fails = true;
    const moody = new SharedContents({
      open: async () => {
        if (fails) throw new Error('not now');
        return heldContent(Buffer.from('now'));
      },
    });
    await expect(moody.open('a')).rejects.toThrow('not now');
    fails = false;
    expect(String(await readWhole(await opened(moody, 'a')))).toBe('now');
  });

  it('lets a piece that could not be read be asked for again', async () => {
    let fails = true;
    const read = async (): Promise<Buffer> => {
      if (fails) throw new Error('not now');
      return Buffer.from('x');
    };
    const contents = new SharedContents({ open: async () => ({ size: 1, read, close: async () => {} }) });
    const reader = await opened(contents, 'a');
    await expect(reader.read(0, 1)).rejects.toThrow('not now');
    fails = false;
    expect(String(await reader.read(0, 1))).toBe('x');
  });
});
