/**
 * Why each affected pair is affected, and the announcement of the plan.
 * Invariant: from here on the revision is good: it was fetched, loaded and planned for every host.
 * Never changes what was decided.
 */

import { stopwatch } from '../base/clock.ts';
import type { LedgerEntry } from '../base/ledger.ts';
import { type Decision, pairKey } from '../plan/affected.ts';
import { reasonFor } from '../plan/reason.ts';
import { end, goOn, type Run, type Step } from './run.ts';

export const explainWork: Step = {
  name: 'explain-work',
  async take(run) {
    const decision = run.decision as Decision;
    const { store } = run.services;
    const elapsed = stopwatch();
    const name = run.request.environment.name;
    const entries = new Map<string, LedgerEntry>();
    const affected = [];
    const applied = await store.ledger.entries(name, decision.affected);
    for (const [index, desired] of decision.affected.entries()) {
      const key = pairKey(desired.host, desired.role);
      const entry = applied[index];
      if (entry !== undefined) entries.set(key, entry);
      affected.push(
        reasonFor(desired, {
          entry,
          failed: run.failed?.get(key),
          drift: run.request.mode.startsWith('drift'),
        }),
      );
    }
    run.entries = entries;
    if (!isIdle(run)) await run.remember();
    run.emit({
      type: 'planned',
      affected,
      current: decision.current,
      hosts: run.hosts ?? 0,
      milliseconds: Math.round(elapsed()),
    });
    return isIdle(run) ? end('nothing-to-do') : goOn;
  },
};

function isIdle(run: Run): boolean {
  const { affected, released } = run.decision as Decision;
  return (
    run.request.offline || (affected.length === 0 && released.length === 0 && run.unreachable.size === 0)
  );
}
