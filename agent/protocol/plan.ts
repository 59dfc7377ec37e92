/**
 * RolePlan: what one host should be for one role, as plain data; and its delta against a plan the agent already holds.
 * Invariant: resources stand in the order they are applied; ids are unique; a delta applied to its base gives the plan back.
 * Pure; places in the policy (file, line) are not part of a plan, so moving a line changes nothing.
 */

import type { Content } from './blob.ts';
import { expressionSchema } from './expression.ts';
import { type Kind, kinds, type ResourceId } from './kind.ts';
import * as z from './schema.ts';
import { type Shapes, shapes } from './shapes/index.ts';

/** What applies to every kind and to none in particular. Times in seconds. */
export const metaSchema = z.object({
  when: z.optional(expressionSchema),
  notify: z.optionalStrings,
  register: z.optionalString,
  changedWhen: z.optional(expressionSchema),
  failedWhen: z.optional(expressionSchema),
  ignoreErrors: z.optionalBoolean,
  retries: z.optionalNumber,
  delay: z.optionalNumber,
  timeout: z.optionalNumber,
  tags: z.optionalStrings,
  requires: z.optionalStrings,
  sensitive: z.optionalBoolean,
});
export type Meta = z.Infer<typeof metaSchema>;

export type PlannedResource = {
  [K in Kind]: { readonly id: ResourceId; readonly kind: K; readonly wanted: Shapes[K]; readonly meta: Meta };
}[Kind];

const anyResource = z.object({ id: z.string, kind: z.oneOf(kinds), wanted: z.unknown, meta: metaSchema });

/** One resource of a plan; `wanted` is validated by the shape of its kind. */
export const plannedResourceSchema = new z.Schema<PlannedResource>((value, path, report) => {
  const resource = anyResource.read(value, path, report);
  const shape = Object.hasOwn(shapes, resource.kind ?? '') ? shapes[resource.kind] : undefined;
  const wanted = shape?.read(resource.wanted, [...path, 'wanted'], report);
  return { ...resource, wanted } as PlannedResource;
});

/** A handler runs its resources in order, once, at the end of the role, if something that changed notified it. */
export const handlerSchema = z.object({ name: z.string, resources: z.array(plannedResourceSchema) });
export type PlannedHandler = z.Infer<typeof handlerSchema>;

export const rolePlanSchema = z.object({
  environment: z.string,
  host: z.string,
  role: z.string,
  resources: z.array(plannedResourceSchema),
  handlers: z.array(handlerSchema),
});
export type RolePlan = z.Infer<typeof rolePlanSchema>;

/** A run of `[first, count]` of the base's items, or an item given whole. */
const itemRun = z.array(z.number).check(z.holds(({ length }) => length === 2, 'is no run')) as z.Schema<
  [number, number]
>;
export const planDeltaSchema = z.object({
  base: z.string,
  resources: z.array(z.union([itemRun, plannedResourceSchema])),
  handlers: z.array(z.union([itemRun, handlerSchema])),
});
export type PlanDelta = z.Infer<typeof planDeltaSchema>;

/** The delta that turns `base` (whose digest is given) into `next`. */
export function planDelta(baseDigest: string, base: RolePlan, next: RolePlan): PlanDelta {
  return {
    base: baseDigest,
    resources: listDelta(base.resources, next.resources),
    handlers: listDelta(base.handlers, next.handlers),
  };
}

/** The plan that a delta describes; `names` are taken from the base. Throws RangeError when a run leaves the base. */
export function applyDelta(base: RolePlan, delta: PlanDelta): RolePlan {
  return {
    ...base,
    resources: fromDelta(base.resources, delta.resources),
    handlers: fromDelta(base.handlers, delta.handlers),
  };
}

function listDelta<T>(base: readonly T[], next: readonly T[]): (T | [number, number])[] {
  const places = new Map(base.map((item, index) => [JSON.stringify(item), index]));
  const delta: (T | [number, number])[] = [];
  let run: [number, number] | undefined;
  for (const item of next) {
    const place = places.get(JSON.stringify(item));
    if (place === undefined) {
      delta.push(item);
      run = undefined;
    } else if (run !== undefined && run[0] + run[1] === place) {
      run[1] += 1;
    } else {
      run = [place, 1];
      delta.push(run);
    }
  }
  return delta;
}

function fromDelta<T extends object>(base: readonly T[], delta: readonly (T | [number, number])[]): T[] {
  return delta.flatMap((item): T[] => {
    if (!isRun(item)) return [item];
    const [first, count] = item;
    if (first < 0 || count < 1 || first + count > base.length) throw new RangeError('delta outside its base');
    return base.slice(first, first + count);
  });
}

function isRun(item: object): item is [number, number] {
  return Array.isArray(item);
}

/** Every resource of a plan, those of its handlers too. */
export function planResources(plan: RolePlan): readonly PlannedResource[] {
  return [...plan.resources, ...plan.handlers.flatMap((handler) => handler.resources)];
}

/** Every piece of content a plan names, each once: all that its agent may ask for. */
export function planContents(plan: RolePlan): Map<string, number> {
  return new Map(
    planResources(plan)
      .flatMap(resourceContents)
      .map(({ sha256, size }) => [sha256, size]),
  );
}

/** The pieces of content that one resource names. */
export function resourceContents({ kind, wanted }: PlannedResource): readonly Content[] {
  if (kind === 'directory') return (wanted.tree ?? []).flatMap((entry) => entry.content ?? []);
  if (kind !== 'file' && kind !== 'template') return [];
  return [wanted.content, wanted.deferred?.program].filter((content) => content !== undefined);
}
