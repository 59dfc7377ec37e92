/**
 * Writing a content while it comes: what fails in the middle is told, and nothing is under way afterwards.
 */

import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeContent } from '../../../agent/system/replace-file.ts';
import { temporaryDirectories } from '../../helpers/temporary-directory.ts';

const directories = temporaryDirectories();

async function withFile<T>(path: string, use: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await open(path, 'w+');
  try {
    return await use(handle);
  } finally {
    await handle.close();
  }
}

describe('content that is written while it comes', () => {
  it('is in the file in order', async () => {
    const parts = Array.from({ length: 50 }, (_, index) => Buffer.alloc(70_000, `part ${index}`));
    const whole = Buffer.concat(parts);
    const expected = { sha256: createHash('sha256').update(whole).digest('hex'), size: whole.length };
    await withFile(join(directories(), 'f'), async (handle) => {
      await writeContent(handle, { source: parts, expected });
      const { buffer } = await handle.read(Buffer.alloc(whole.length), 0, whole.length, 0);
      expect(buffer.equals(whole)).toBe(true);
      await expect(writeContent(handle, { source: parts.slice(1), expected })).rejects.toMatchObject({
        problem: { code: 'blob.corrupt' },
      });
    });
  });

  it('fails with what the disk says, also at its last part', async () => {
    for (const count of [1, 3]) {
      const source = Array.from({ length: count }, () => Buffer.alloc(1000));
      await withFile('/dev/full', async (handle) => {
        await expect(writeContent(handle, { source })).rejects.toMatchObject({ code: 'ENOSPC' });
      });
    }
  });

  it('has written what it began when its source fails', async () => {
    async function* source(): AsyncGenerator<Buffer> {
      yield Buffer.alloc(1_000_000, 'x');
      throw new Error('the line is gone');
    }
    await withFile(join(directories(), 'f'), async (handle) => {
      await expect(writeContent(handle, { source: source() })).rejects.toThrow('the line is gone');
      expect((await handle.stat()).size).toBe(1_000_000);
    });
  });
});
