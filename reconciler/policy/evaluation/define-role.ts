/**
 * What defineRole was given → the definition the engine keeps, or every problem in it.
 * Invariant: plain data; names of keys are checked, so a typo is never silently ignored.
 * Runs role code's top level only, none of its functions.
 */

import * as z from 'zod/mini';
import type { RoleSpec } from '../authoring/role.ts';
import type { Share } from '../model.ts';
import type { Defined, RawProblem } from './messages.ts';
import { didYouMean } from './nearest-name.ts';
import { thrownProblem } from './raw-problem.ts';
import { type RoleModule, roleOf, type WrittenRole } from './sandbox.ts';

const share = z.union([
  z.number().check(z.gte(0)),
  z.templateLiteral([z.number().check(z.gte(0), z.lte(100)), '%']),
]);
const wave = z.union([
  z.int().check(z.gte(1)),
  z.templateLiteral([z.number().check(z.gt(0), z.lte(100)), '%']),
]);
const names = z.array(z.string());

const fields = {
  targets: z.optional(z.object({ groups: z.optional(names), hosts: z.optional(names) })),
  connect: z.optional(z.object({ user: z.optional(z.string()), become: z.optional(z.string()) })),
  serial: z.optional(z.union([wave, z.array(wave)])),
  maxFailures: z.optional(share),
  after: z.optional(names),
  variables: z.optional(z.record(z.string(), z.json())),
  tags: z.optional(names),
  when: z.optional(z.custom<() => boolean>(isFunction)),
  resources: z.custom<() => unknown>(isFunction),
  handlers: z.optional(z.record(z.string(), z.custom<() => unknown>(isFunction))),
} satisfies Readonly<Record<keyof RoleSpec, z.ZodMiniType>>;

const wanted: Readonly<Record<keyof RoleSpec, string>> = {
  targets: 'must be { groups?: […], hosts?: […] }, lists of patterns',
  connect: 'must be { user?: name, become?: name }',
  serial: "must be a count, a share such as '25%', or a list of them",
  maxFailures: "must be a count or a share such as '25%'",
  after: 'must be a list of role names',
  variables: 'must be plain data by name',
  tags: 'must be a list of names',
  when: 'must be a function',
  resources: 'must be a function that returns resources',
  handlers: 'must be functions by name',
};

/** Reads a role's definition. */
export function readDefinition(name: string, module: RoleModule): Defined {
  try {
    const role = roleOf(module);
    if (role !== undefined) return definitionOf(name, role);
    const message = `the default export of role ${name} is not what defineRole gives`;
    return { ok: false, problems: [{ code: 'policy.not-a-role', message }] };
  } catch (thrown) {
    return { ok: false, problems: [thrownProblem(thrown, `role ${name}`, undefined)] };
  }
}

function definitionOf(name: string, { spec, position }: WrittenRole): Defined {
  const problems: RawProblem[] = [];
  const say = (message: string): void => {
    problems.push({ code: 'policy.bad-role', message: `role ${name}: ${message}`, position });
  };
  const given = (spec ?? {}) as unknown as Readonly<Record<string, unknown>>;
  for (const key of Object.keys(given)) {
    if (!Object.hasOwn(fields, key)) say(`defineRole has no ${key}${didYouMean(key, Object.keys(fields))}`);
  }
  for (const key of Object.keys(fields) as (keyof RoleSpec)[]) {
    if (!fields[key].safeParse(given[key]).success) say(`${key} ${wanted[key]}`);
    for (const inner of strayKeys(key, given[key])) say(`${key} has no ${inner}`);
  }
  if (problems.length > 0) return { ok: false, problems };
  return {
    ok: true,
    role: JSON.parse(
      JSON.stringify({
        targets: spec.targets ?? {},
        connect: spec.connect ?? {},
        serial: [spec.serial ?? []].flat() as Share[],
        maxFailures: spec.maxFailures ?? defaultBudget(spec.serial),
        after: spec.after ?? [],
        variables: spec.variables ?? {},
      }),
    ),
  };
}

/** Waves are asked for to stop early; without them one bad host must not keep later roles from all others. */
function defaultBudget(serial: RoleSpec['serial']): Share {
  return [serial ?? []].flat().length > 0 ? 0 : '100%';
}

const innerKeys: Readonly<Record<string, readonly string[]>> = {
  targets: ['groups', 'hosts'],
  connect: ['user', 'become'],
};

function strayKeys(key: string, value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.keys(value).filter((inner) => innerKeys[key]?.includes(inner) === false);
}

function isFunction(value: unknown): boolean {
  return typeof value === 'function';
}
