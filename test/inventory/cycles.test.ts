import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findCycles } from '../../inventory/cycles.ts';

describe('cycles of a graph', () => {
  it('are closed paths along edges, and there is none exactly when the graph can be sorted', () => {
    const node = fc.nat(7);
    fc.assert(
      fc.property(fc.array(fc.tuple(node, node), { maxLength: 12 }), (edges) => {
        const next = (from: number) => edges.filter(([a]) => a === from).map(([, b]) => b);
        const cycles = findCycles([0, 1, 2, 3, 4, 5, 6, 7], next);
        for (const cycle of cycles) {
          expect(cycle.at(-1)).toBe(cycle[0]);
          expect(cycle.slice(1).every((to, index) => next(cycle[index] ?? -1).includes(to))).toBe(true);
        }
        expect(cycles.length === 0).toBe(sortable(edges));
      }),
    );
  });

  it('are looked for without exhausting the stack', () => {
    const length = 100_000;
    const nodes = Array.from({ length }, (_, index) => index);
    expect(findCycles(nodes, (from) => (from + 1 < length ? [from + 1] : []))).toEqual([]);
    expect(findCycles(nodes, (from) => [(from + 1) % length])[0]).toHaveLength(length + 1);
  });
});

function sortable(edges: readonly (readonly [number, number])[]): boolean {
  let rest = edges;
  for (;;) {
    const inner = rest.filter(([, to]) => rest.some(([from]) => from === to));
    if (inner.length === rest.length) return rest.length === 0;
    rest = inner;
  }
}
