import { describe, expect, it } from 'vitest';
import { monotonic, stopwatch } from '../../../reconciler/base/clock.ts';

describe('a stopwatch', () => {
  it('tells what passed since it was started, to the microsecond', () => {
    let now = 1000.1;
    const passed = stopwatch(() => now);
    now += 2.34567891;
    expect([passed(), passed()]).toEqual([2.346, 2.346]);
    now += 1;
    expect(passed()).toBe(3.346);
  });

  it('goes by a clock that never goes back', () => {
    const passed = stopwatch();
    const first = monotonic();
    expect(monotonic()).toBeGreaterThanOrEqual(first);
    expect(passed()).toBeGreaterThanOrEqual(0);
  });
});
