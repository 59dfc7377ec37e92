/** What is left of a tree that was evaluated before it had settled. */

import { expect, it } from 'vitest';
import type { CountingPolicyEngine } from '../../../reconciler/policy/engine.ts';
import { Rehearsal } from '../../../reconciler/rehearsal.ts';
import type { Snapshot } from '../../../reconciler/source/snapshot.ts';
import { requestOf } from './loop.ts';
import { fileRole } from './small-fleet.ts';
import { smallStage } from './small-stage.ts';

const start = smallStage();

const policy = {
  'towline.toml': '[environments.production]\nbranch = "main"\ninventory = "inventory.toml"\n',
  'roles/base/role.ts': fileRole('base', `'one'`),
};

async function begin() {
  const [, loop] = await start(['web-1', 'web-2'], policy);
  const taken = await loop.source.snapshot('main');
  const [environment] = (await loop.environments.discover()).environments;
  if (!taken.ok || environment === undefined) throw new Error('there is no policy');
  const { counters } = loop.services.engine as CountingPolicyEngine;
  return { loop, request: requestOf(environment), snapshot: taken.value, counters };
}

it('leaves the answers, and nothing that anybody hears of', async () => {
  const { loop: it, request, snapshot, counters } = await begin();
  const rehearsal = new Rehearsal(it.runs);
  rehearsal.begin([request], snapshot);
  await rehearsal.over();
  const { evaluations } = counters;
  expect(evaluations).toBeGreaterThan(0);
  expect(it.events).toEqual([]);
  expect(await it.store.history.runs({ limit: 9 })).toEqual([]);
  expect(it.services.pool.sessions()).toEqual([]);
  expect((await it.runOnce()).outcome).toBe('done');
  expect(counters.evaluations).toBe(evaluations);
});

it('passes over what is broken and what comes while it is busy', async () => {
  const { loop: it, request, snapshot, counters } = await begin();
  const broken: Snapshot = { ...snapshot, read: async () => Buffer.from('export default {') };
  const rehearsal = new Rehearsal(it.runs);
  rehearsal.begin([request], broken);
  rehearsal.begin([request], snapshot);
  await rehearsal.over();
  expect(counters.evaluations).toBe(0);
  expect(it.events).toEqual([]);
  expect((await it.runOnce()).outcome).toBe('done');
});
