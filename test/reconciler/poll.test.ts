/**
 * When a remote is asked next.
 */

import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextPoll, startPolling } from '../../reconciler/poll.ts';

describe('nextPoll', () => {
  it('stays within a tenth of the interval', () => {
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 86_400 }), random, (seconds, drawn) => {
        const wait = nextPoll(seconds, drawn) ?? 0;
        expect(wait).toBeGreaterThan(0);
        expect(Math.abs(wait - seconds * 1000)).toBeLessThanOrEqual(seconds * 100 + 1);
      }),
    );
  });

  it('never comes when polling is off', () => {
    for (const seconds of [0, -1, Number.NaN]) expect(nextPoll(seconds, 0.5)).toBeUndefined();
  });
});

describe('startPolling', () => {
  it('polls again and again, one at a time, until it is closed', async () => {
    let running = 0;
    let most = 0;
    let polls = 0;
    let enough = (): void => undefined;
    const done = new Promise<void>((resolve) => {
      enough = resolve;
    });
    const poller = startPolling({
      seconds: () => 0.001,
      random: () => 0,
      poll: async () => {
        running += 1;
        most = Math.max(most, running);
        await delay(4);
        running -= 1;
        polls += 1;
        if (polls === 3) enough();
      },
    });
    await done;
    await poller.close();
    const after = polls;
    await delay(20);
    expect(polls).toBe(after);
    expect(most).toBe(1);
  });
});
