import { readdirSync, readlinkSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ContentCache } from '../../agent/content-cache.ts';
import { type Content, sha256Of } from '../../agent/protocol/blob.ts';
import { codeOf } from './test-host.ts';

function contentOf(bytes: Buffer): Content {
  return { sha256: sha256Of(bytes), size: bytes.length };
}

/** Files of the cache that this process has open. */
function filesOpen(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return /\/towline-\w+\/content \(deleted\)$/.test(readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      return false;
    }
  }).length;
}

/** Held to the end of the process, as an agent holds its own: files are closed with it. */
const caches: ContentCache[] = [];

function cacheOf(...parameters: ConstructorParameters<typeof ContentCache>): ContentCache {
  const cache = new ContentCache(...parameters);
  caches.push(cache);
  return cache;
}

describe('the cache of contents', () => {
  it('fetches a content once, however many want it at the same time', async () => {
    const bytes = Buffer.alloc(100_000, 'abc');
    let fetched = 0;
    const cache = cacheOf(async () => {
      fetched += 1;
      return [bytes.subarray(0, 60_000), bytes.subarray(60_000)];
    });
    const read: Buffer[] = [];
    await Promise.all(
      [0, 1, 2, 3, 4].map((place) =>
        cache.lend(contentOf(bytes), async (range) => void read.push(await range(place * 1000, 500))),
      ),
    );
    expect(fetched).toBe(1);
    expect(read.map((part) => part.length)).toEqual([500, 500, 500, 500, 500]);
    await cache.lend(contentOf(bytes), async (range) => {
      expect((await range(0, bytes.length)).equals(bytes)).toBe(true);
    });
    expect(fetched).toBe(1);
  });

  it('gives out nothing of a content with another hash, and fetches it anew when it is wanted again', async () => {
    const [wanted, other] = [Buffer.from('wanted'), Buffer.from('other!')];
    const answers = [[other], [wanted]];
    const cache = cacheOf(async () => answers.shift() ?? []);
    let used = 0;
    const use = async (): Promise<void> => {
      used += 1;
    };
    expect(await codeOf(cache.lend(contentOf(wanted), use))).toBe('blob.corrupt');
    expect(used).toBe(0);
    await cache.lend(contentOf(wanted), use);
    expect(used).toBe(1);
  });

  it('keeps a bounded number of files, none of which has a name, and refuses what has no room', async () => {
    const before = filesOpen();
    const cache = cacheOf(async (content) => [Buffer.from(`${content.size}`.padEnd(content.size))]);
    for (let size = 10; size < 150; size += 1) {
      const content = contentOf(Buffer.from(`${size}`.padEnd(size)));
      await cache.lend(content, async (range) => {
        expect(String(await range(0, 3))).toBe(`${size}`.padEnd(3).slice(0, 3));
      });
    }
    expect(filesOpen() - before).toBeGreaterThan(0);
    expect(filesOpen() - before).toBeLessThanOrEqual(100);
    const large = { sha256: '0'.repeat(64), size: 2 ** 31 };
    expect(await codeOf(cache.lend(large, async () => {}))).toBe('blob.refused');
  });
});
