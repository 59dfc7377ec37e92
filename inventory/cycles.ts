/**
 * Finds the ways in which a graph leads back to itself.
 * Invariant: each cycle found is a closed path, first node repeated at the end; no node is visited twice.
 * Pure; deep chains do not exhaust the stack.
 */

/** A closed path for every back edge of a depth-first walk in the order given; empty when there is no cycle. */
export function findCycles<T>(nodes: Iterable<T>, next: (node: T) => Iterable<T>): readonly (readonly T[])[] {
  const cycles: (readonly T[])[] = [];
  const done = new Set<T>();
  for (const start of nodes) {
    if (done.has(start)) continue;
    const trail: { readonly node: T; readonly rest: Iterator<T> }[] = [];
    const onTrail = new Set<T>();
    const enter = (node: T) => {
      trail.push({ node, rest: next(node)[Symbol.iterator]() });
      onTrail.add(node);
    };
    enter(start);
    for (let top = trail.at(-1); top !== undefined; top = trail.at(-1)) {
      const step = top.rest.next();
      if (step.done) {
        trail.pop();
        onTrail.delete(top.node);
        done.add(top.node);
      } else if (onTrail.has(step.value)) {
        cycles.push(closedPath(trail, step.value));
      } else if (!done.has(step.value)) enter(step.value);
    }
  }
  return cycles;
}

function closedPath<T>(trail: readonly { readonly node: T }[], back: T): readonly T[] {
  const path = trail.map(({ node }) => node);
  return [...path.slice(path.indexOf(back)), back];
}
