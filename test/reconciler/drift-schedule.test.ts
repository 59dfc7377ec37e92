import { afterEach, describe, expect, it, vi } from 'vitest';
import { DriftSchedule } from '../../reconciler/drift-schedule.ts';
import type { Environment } from '../../reconciler/policy/environment.ts';

let schedule: DriftSchedule | undefined;
afterEach(() => schedule?.stop());

/** Cron with seconds, which towline.toml does not take, so that a test need not wait for a minute. */
function environmentOf(name: string, mode: 'off' | 'report' | 'correct', cron = '* * * * * *'): Environment {
  return {
    name,
    branch: 'main',
    inventory: 'inventory.toml',
    roles: [],
    drift: { mode, schedule: cron, timezone: 'Europe/Berlin', spreadSeconds: 0 },
    pollSeconds: 60,
    parallel: 10,
    place: {},
  };
}

describe('the drift schedule', () => {
  it('says when a drift run is due, and for no environment that has none or is gone', async () => {
    const due: string[] = [];
    schedule = new DriftSchedule(({ name, drift }) => due.push(`${name} ${drift.mode}`));
    schedule.set([
      environmentOf('a', 'report'),
      environmentOf('b', 'off'),
      environmentOf('c', 'correct', '0 0 1 1 *'),
    ]);
    await vi.waitFor(() => expect(due).toContain('a report'), { timeout: 5000 });
    schedule.set([environmentOf('a', 'correct'), environmentOf('b', 'off')]);
    await vi.waitFor(() => expect(due).toContain('a correct'), { timeout: 5000 });
    expect(due.filter((each) => !each.startsWith('a'))).toEqual([]);
    schedule.set([]);
    const ended = due.length;
    await new Promise((resolve) => setTimeout(resolve, 1200));
    expect(due.length).toBe(ended);
  });
});
