import { expect, it } from 'vitest';
import { dropOldHistory } from '../../../reconciler/cli/old-history.ts';
import { openMemoryStore } from '../../../reconciler/state/open-store.ts';

it('lets go of runs older than ninety days and keeps younger ones', async () => {
  const opened = openMemoryStore();
  if (!opened.ok) throw new Error(opened.problem.message);
  const { history } = opened.value;
  const run = (id: string, startedAt: string) => ({
    run: id,
    environment: 'production',
    trigger: 'commit' as const,
    mode: 'apply' as const,
    startedAt,
  });
  await history.start(run('old', '2026-01-01T00:00:00.000Z'));
  await history.start(run('young', '2026-05-01T00:00:00.000Z'));
  const now = Date.parse('2026-06-01T00:00:00.000Z');
  const stop = dropOldHistory(history, { now: () => now }, (error) => {
    throw error;
  });
  await expect
    .poll(async () => (await history.runs({ limit: 9 })).map((each) => each.run))
    .toEqual(['young']);
  stop();
  await opened.value.close();
});
