import { describe, expect, it } from 'vitest';
import type { RunEvent, RunSummary } from '../../../reconciler/base/event.ts';
import { RunWatch } from '../../../reconciler/demo/run-watch.ts';

const summary: RunSummary = {
  outcome: 'done',
  resources: { changed: 1, unchanged: 0, failed: 0, skipped: 0, unknown: 0 },
  hosts: { changed: ['a'], unchanged: [], failed: [], unreachable: [], waiting: [] },
  milliseconds: 3,
};

function at(second: number, run: string) {
  return { run, at: `2026-01-01T00:00:0${second}.000Z`, environment: 'production' };
}

function events(run: string): RunEvent[] {
  return [
    { type: 'run-started', trigger: 'commit', mode: 'apply', ...at(1, run) },
    { type: 'planned', affected: [], current: 0, hosts: 3, milliseconds: 1, ...at(2, run) },
    { type: 'role-started', role: 'web', hosts: ['a', 'b'], wave: 1, waves: 1, ...at(3, run) },
    { type: 'run-finished', summary, ...at(4, run) },
  ];
}

describe('watching runs', () => {
  it('gives out each run that ended, in order, with its moments and its hosts', async () => {
    const watch = new RunWatch();
    const never = new AbortController().signal;
    const waiting = watch.next(never);
    for (const run of ['one', 'two']) for (const event of events(run)) watch.sink(event);
    const start = Date.parse('2026-01-01T00:00:01Z');
    expect(await waiting).toEqual({
      run: 'one',
      noticedAt: start,
      plannedAt: start + 1000,
      endedAt: start + 3000,
      contacted: new Set(['a', 'b']),
      summary,
    });
    expect((await watch.next(never))?.run).toBe('two');
  });

  it('waits no longer than it is told to', async () => {
    const watch = new RunWatch();
    watch.sink({ type: 'run-finished', summary, ...at(1, 'began before') });
    const late = new AbortController();
    const waiting = watch.next(late.signal);
    late.abort();
    expect(await waiting).toBeUndefined();
  });
});
