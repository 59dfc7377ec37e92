import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { orderResources } from '../../../reconciler/plan/resource-order.ts';

const item = (id: string, ...requires: string[]): { id: string; requires: string[] } => ({ id, requires });

describe('the order of resources', () => {
  it('is as declared where nothing is required', () => {
    expect(orderResources([item('c'), item('a'), item('b')])).toEqual({ ok: true, ids: ['c', 'a', 'b'] });
  });

  it('moves what is required in front, and only that', () => {
    expect(orderResources([item('a', 'c'), item('b'), item('c'), item('d')])).toEqual({
      ok: true,
      ids: ['c', 'a', 'b', 'd'],
    });
  });

  it('passes over requirements that are not in the list', () => {
    expect(orderResources([item('a', 'gone')])).toEqual({ ok: true, ids: ['a'] });
  });

  it('names the members of a circle', () => {
    expect(orderResources([item('z'), item('a', 'b'), item('b', 'c'), item('c', 'b')])).toEqual({
      ok: false,
      circle: ['b', 'c'],
    });
  });

  it('puts every resource behind all it requires, whatever is required', () => {
    const names = fc.uniqueArray(fc.integer({ min: 0, max: 9 }), { minLength: 1 });
    fc.assert(
      fc.property(names, fc.array(fc.tuple(fc.nat(9), fc.nat(9))), (ids, edges) => {
        const items = ids.map((id) =>
          item(`${id}`, ...edges.filter(([from, to]) => from === id && to < from).map(([, to]) => `${to}`)),
        );
        const ordered = orderResources(items);
        if (!ordered.ok) throw new Error('edges that point down form no circle');
        expect([...ordered.ids].sort()).toEqual(ids.map(String).sort());
        for (const { id, requires } of items) {
          for (const required of requires) {
            if (ordered.ids.includes(required))
              expect(ordered.ids.indexOf(required)).toBeLessThan(ordered.ids.indexOf(id));
          }
        }
      }),
    );
  });
});
