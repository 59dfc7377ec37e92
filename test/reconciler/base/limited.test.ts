import { describe, expect, it } from 'vitest';
import { limited } from '../../../reconciler/base/limited.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('limited', () => {
  it('keeps to the limit and gives results in the order of the items', async () => {
    let running = 0;
    let most = 0;
    const results = await limited([5, 1, 4, 2, 3], { most: 2 }, async (item, index) => {
      running += 1;
      most = Math.max(most, running);
      for (let turns = 0; turns < item; turns += 1) await turn();
      running -= 1;
      return `${index}:${item}`;
    });
    expect(results).toEqual(['0:5', '1:1', '2:4', '3:2', '4:3']);
    expect(most).toBe(2);
    expect(await limited([], { most: 0 }, turn)).toEqual([]);
  });

  it('starts nothing more once the signal is aborted', async () => {
    const stop = new AbortController();
    const results = await limited([1, 2, 3], { most: 1, signal: stop.signal }, async (item) => {
      if (item === 2) stop.abort();
      return item;
    });
    expect(results).toEqual([1, 2, undefined]);
  });

  it('rejects with the first error when what runs has ended, and starts nothing after it', async () => {
    const seen: string[] = [];
    const work = limited([1, 2, 3, 4], { most: 2 }, async (item) => {
      if (item === 1) throw new Error('broken');
      await turn();
      seen.push(`${item}`);
    });
    await expect(work).rejects.toThrow('broken');
    expect(seen).toEqual(['2']);
  });
});
