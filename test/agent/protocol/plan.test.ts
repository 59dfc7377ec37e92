/**
 * A plan's delta gives the plan back, whatever changed; what a plan names is found.
 * Invariant: plans are generated; the delta travels as JSON in between.
 * Never a timing assertion.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  applyDelta,
  type PlannedResource,
  planContents,
  planDelta,
  planDeltaSchema,
  type RolePlan,
  rolePlanSchema,
} from '../../../agent/protocol/plan.ts';

const sha256 = (digit: string): string => digit.repeat(64);
const resources = fc.array(
  fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), text: fc.constantFrom('x', 'y') }).map(
    ({ name, text }): PlannedResource => ({
      id: `echo:${name}`,
      kind: 'echo',
      wanted: { message: [text] },
      meta: {},
    }),
  ),
  { maxLength: 12 },
);
const plans = fc
  .record({
    resources,
    handlers: fc.array(fc.record({ name: fc.constantFrom('h', 'i', 'j'), resources }), { maxLength: 4 }),
  })
  .map((lists): RolePlan => ({ environment: 'e', host: 'h', role: 'r', ...lists }));

describe('a plan', () => {
  it('comes back from its delta against any other plan', () => {
    fc.assert(
      fc.property(plans, plans, (base, next) => {
        const wire = planDeltaSchema.safeParse(JSON.parse(JSON.stringify(planDelta('d', base, next))));
        expect(wire.success && applyDelta(base, wire.data)).toEqual(next);
      }),
      { seed: 1, numRuns: 1000 },
    );
  });

  it('makes a delta that says only what is new', () => {
    const base = fc.sample(plans, { seed: 2, numRuns: 1 })[0] as RolePlan;
    const one: PlannedResource = { id: 'echo:new', kind: 'echo', wanted: { message: ['n'] }, meta: {} };
    const many = {
      ...base,
      resources: Array.from({ length: 50 }, (_, index) => ({ ...one, id: `echo:${index}` as const })),
    };
    const next = { ...many, resources: [...many.resources.slice(0, 25), one, ...many.resources.slice(25)] };
    expect(planDelta('d', many, next).resources).toEqual([[0, 25], one, [25, 25]]);
  });

  it.each([[[-1, 1]], [[0, 0]], [[0, 5]], [[2, 1]]] as const)(
    'refuses a delta with the run %j outside its base',
    (run) => {
      const echo: PlannedResource = { id: 'echo:a', kind: 'echo', wanted: { message: [] }, meta: {} };
      const base: RolePlan = {
        environment: 'e',
        host: 'h',
        role: 'r',
        resources: [echo, echo],
        handlers: [],
      };
      expect(() =>
        applyDelta(base, { base: 'd', resources: [[...run] as [number, number]], handlers: [] }),
      ).toThrow(RangeError);
    },
  );

  it('passes its schema and nothing else of its kinds does', () => {
    const good = { environment: 'e', host: 'h', role: 'r', handlers: [] };
    const file = { id: 'file:a', kind: 'file', wanted: { path: '/a', state: 'present' }, meta: {} };
    expect(rolePlanSchema.safeParse({ ...good, resources: [file] }).success).toBe(true);
    const bad = [
      { ...file, kind: 'nothing' },
      { ...file, wanted: { path: 'relative', state: 'present' } },
      { ...file, wanted: { path: '/a/../b', state: 'present' } },
      { ...file, meta: { retries: 'many' } },
      { ...file, meta: { when: { op: 'eval', text: '1' } } },
      null,
    ];
    for (const each of bad)
      expect(rolePlanSchema.safeParse({ ...good, resources: [each] }).success).toBe(false);
  });

  it('names its contents, each once, those of handlers and trees too', () => {
    const content = (digit: string, size: number) => ({ sha256: sha256(digit), size });
    const plan = {
      environment: 'e',
      host: 'h',
      role: 'r',
      resources: [
        {
          id: 'file:a',
          kind: 'file',
          wanted: { path: '/a', state: 'present', content: content('1', 5) },
          meta: {},
        },
        {
          id: 'template:b',
          kind: 'template',
          wanted: {
            path: '/b',
            state: 'present',
            deferred: { program: content('2', 6), context: {}, source: 'b.njk' },
          },
          meta: {},
        },
      ],
      handlers: [
        {
          name: 'h',
          resources: [
            {
              id: 'file:c',
              kind: 'file',
              wanted: { path: '/c', state: 'present', content: content('1', 5) },
              meta: {},
            },
          ],
        },
      ],
    };
    const parsed = rolePlanSchema.safeParse(plan);
    expect(parsed.success && [...planContents(parsed.data)]).toEqual([
      [sha256('1'), 5],
      [sha256('2'), 6],
    ]);
  });
});
