import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LedgerEntry } from '../../reconciler/base/ledger.ts';
import { planOf, problemOf } from '../reconciler/plan/plans.ts';
import {
  filePaths,
  hostNames,
  readsFileOnSomeHosts,
  roleNames,
  roleTexts,
  SmallWorld,
} from './small-world.ts';

interface Event {
  readonly name: string;
  happen(world: SmallWorld): Promise<void>;
}

const host = fc.constantFrom(...hostNames);
const role = fc.constantFrom(...roleNames);

const text = fc.nat(roleTexts.length - 1);
const start = fc.tuple(text, text, text);

/** An event made of one choice. */
function event<T>(
  name: string,
  choice: fc.Arbitrary<T>,
  happen: (world: SmallWorld, value: T) => Promise<unknown> | unknown,
): fc.Arbitrary<Event> {
  return choice.map((value) => ({
    name: `${name} ${JSON.stringify(value)}`,
    happen: async (world) => void (await happen(world, value)),
  }));
}

const facts = fc.record({
  host,
  change: fc.oneof(
    fc.record({ uptime: fc.nat(3) }),
    fc.record({ os: fc.constantFrom('debian', 'redhat').map((family) => ({ family }) as never) }),
  ),
});
const fates = fc.array(fc.constantFrom('done', 'done', 'done', 'failed', 'untouched'), {
  minLength: 1,
  maxLength: 9,
});

const apply = event(
  'apply',
  fc.record({ fates, meanwhile: fc.option(facts, { freq: 4, nil: undefined }) }),
  (world, { fates: ends, meanwhile }) => {
    let next = 0;
    return world.apply(
      () => ends[next++ % ends.length] as 'done',
      async () => meanwhile && world.learn(meanwhile.host, meanwhile.change),
    );
  },
);
const applyAll = event('apply all', fc.constant(0), (world) =>
  world.apply(
    () => 'done',
    async () => {},
  ),
);

const change: fc.Arbitrary<Event> = fc.oneof(
  event('variable', fc.tuple(host, fc.nat(2), fc.boolean()), (world, [name, a, inGroup]) =>
    world.hosts.set(name, { a, inGroup }),
  ),
  event('host goes', host, (world, name) => world.hosts.size > 1 && world.hosts.delete(name)),
  event('group variable', fc.constantFrom('b', 'c'), (world, value) => {
    world.groupValue = value;
  }),
  event('role', fc.tuple(role, text), (world, [name, text]) => world.roles.set(name, text)),
  event('role goes', role, (world, name) => world.roles.size > 1 && world.roles.delete(name)),
  event(
    'file',
    fc.tuple(fc.constantFrom(...filePaths), fc.constantFrom('one', 'two')),
    (world, [path, text]) => world.files.set(path, text),
  ),
  event('file goes', fc.constantFrom(...filePaths), (world, path) => world.files.delete(path)),
  event('facts', facts, (world, { host: name, change: what }) => world.learn(name, what)),
  event('extra variables', fc.option(fc.constantFrom('x', 'y'), { nil: undefined }), (world, extra) => {
    world.extraVariables = extra === undefined ? {} : { extra };
  }),
  event('branch', fc.constantFrom('main', 'next'), (world, branch) => {
    world.branch = branch;
  }),
  event('restart', fc.constant(0), (world) => world.restart()),
);

/** Another command writes the ledger. */
const edit: fc.Arbitrary<Event> = fc.oneof(
  event('ledger: applied', fc.tuple(host, fc.constantFrom(...roleNames, 'other')), (world, [name, of]) =>
    world.store.ledger.recordApplied('test', entryOf(name, of)),
  ),
  event('ledger: failed', fc.tuple(host, role), (world, [name, of]) => {
    const problem = problemOf('retry');
    return world.store.ledger.recordFailed('test', {
      host: name,
      role: of,
      digest: 'd',
      at: 't',
      run: 'r',
      problem,
    });
  }),
  event('ledger: released', fc.tuple(host, role), (world, [name, of]) =>
    world.store.ledger.release('test', name, of),
  ),
);

function entryOf(name: string, of: string): LedgerEntry {
  const common = { host: name, role: of, digest: 'edited', revision: 'r', appliedAt: 't', run: 'r' };
  return { ...common, inputs: {}, plan: planOf(of, name) };
}

describe('a plan that passes over what is settled', () => {
  it('says what a plan that looks at everything says', async () => {
    let passedOver = 0;
    const sequence = fc.array(
      fc.oneof(
        { weight: 4, arbitrary: change },
        { weight: 2, arbitrary: apply },
        { weight: 2, arbitrary: applyAll },
        edit,
      ),
      { minLength: 4, maxLength: 16 },
    );
    await fc.assert(
      fc.asyncProperty(start, sequence, async (texts, events) => {
        const world = await SmallWorld.create();
        try {
          for (const [index, name] of roleNames.entries()) world.roles.set(name, texts[index] as number);
          for (const name of hostNames) await world.learn(name, {});
          await world.apply(
            () => 'done',
            async () => {},
          );
          for (const { happen } of events) {
            await happen(world);
            const [quick, whole] = [await world.plan(false), await world.plan(true)];
            expect(quick).toEqual(whole);
          }
          passedOver += world.passedOver;
        } finally {
          await world.close();
        }
      }),
      { numRuns: 60 },
    );
    expect(passedOver).toBeGreaterThan(0);
  }, 120_000);

  it('knows the files of hosts that an earlier process looked at', async () => {
    const world = await SmallWorld.create();
    const settle = (): Promise<void> =>
      world.apply(
        () => 'done',
        async () => {},
      );
    try {
      for (const name of roleNames) world.roles.set(name, readsFileOnSomeHosts);
      world.hosts.set('h0', { a: 1, inGroup: false });
      await settle();
      await world.restart();
      world.hosts.set('h1', { a: 2, inGroup: false });
      await settle();
      expect((await world.plan(false)).affected).toEqual([]);
      world.files.set('files/motd', 'changed');
      const said = await world.plan(false);
      expect(said.affected.map((pair) => pair.split(' ').slice(0, 2).join(' '))).toEqual([
        'h0 base',
        'h0 db',
      ]);
      expect(said).toEqual(await world.plan(true));
      expect(world.passedOver).toBeGreaterThan(0);
    } finally {
      await world.close();
    }
  });
});
