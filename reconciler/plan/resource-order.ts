/**
 * The order resources of a role are applied in: as declared, except where `requires` says otherwise.
 * Invariant: stable; every resource stands after all it requires; a circle is answered with its members.
 * Pure.
 */

export interface Orderable {
  readonly id: string;
  readonly requires: readonly string[];
}

export type Ordered =
  | { readonly ok: true; readonly ids: readonly string[] }
  | { readonly ok: false; readonly circle: readonly string[] };

/** Puts ids in order. Requirements that name nothing in the list are passed over. */
export function orderResources(items: readonly Orderable[]): Ordered {
  const byId = new Map(items.map((item) => [item.id, item]));
  const done = new Set<string>();
  const open: string[] = [];
  const visit = (item: Orderable): readonly string[] | undefined => {
    if (done.has(item.id)) return undefined;
    if (open.includes(item.id)) return open.slice(open.indexOf(item.id));
    open.push(item.id);
    for (const required of item.requires) {
      const next = byId.get(required);
      const circle = next === undefined ? undefined : visit(next);
      if (circle !== undefined) return circle;
    }
    open.pop();
    done.add(item.id);
    return undefined;
  };
  for (const item of items) {
    const circle = visit(item);
    if (circle !== undefined) return { ok: false, circle };
  }
  return { ok: true, ids: [...done] };
}
