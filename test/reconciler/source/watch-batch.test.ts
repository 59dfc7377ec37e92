/** When a batch of hints ends. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createBatch, type WatchNotice } from '../../../reconciler/source/watch-batch.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function batching() {
  const notices: WatchNotice[] = [];
  const batch = createBatch({ roots: ['/p'], quietMilliseconds: 10 }, (notice) => notices.push(notice));
  const paths = () => notices.map((notice) => (notice.type === 'dirty' ? [...notice.paths] : notice));
  return { batch, paths };
}

describe('a batch', () => {
  it('ends after a quiet, which every hint begins anew', () => {
    const { batch, paths } = batching();
    batch.add('/p/a');
    vi.advanceTimersByTime(6);
    batch.add('/p/a');
    vi.advanceTimersByTime(6);
    expect(paths()).toEqual([]);
    vi.advanceTimersByTime(4);
    expect(paths()).toEqual([['/p/a']]);
  });

  it('is not put off by what is told a second time, but takes what is new', () => {
    const { batch, paths } = batching();
    batch.add('/p/a');
    vi.advanceTimersByTime(6);
    batch.echo('/p/a');
    vi.advanceTimersByTime(4);
    expect(paths()).toEqual([['/p/a']]);
    batch.echo('/p/b');
    vi.advanceTimersByTime(10);
    expect(paths()).toEqual([['/p/a'], ['/p/b']]);
  });
});
