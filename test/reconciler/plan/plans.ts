/**
 * Desired pairs and evaluations for tests of planning.
 * Invariant: everything is frozen, so a decision that writes to its input fails.
 * Test code only.
 */

import type { RolePlan } from '../../../agent/protocol/plan.ts';
import type { Problem } from '../../../agent/protocol/problem.ts';
import type { AppliedDigests } from '../../../reconciler/base/ledger.ts';
import type { Desired } from '../../../reconciler/plan/affected.ts';
import type { Evaluation, RoleDefinition } from '../../../reconciler/policy/model.ts';

/** Freezes a value and everything in it. */
export function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) frozen(inner);
  return Object.freeze(value);
}

/** An empty plan. */
export function planOf(role: string, host = 'a'): RolePlan {
  return frozen({ environment: 'test', host, role, resources: [], handlers: [] });
}

/** An evaluation that gave a plan with this digest. */
export function evaluated(digest: string, inputs: Record<string, string> = {}): Evaluation {
  return frozen({ kind: 'plan', plan: planOf('web'), digest, inputs, places: {} });
}

/** A pair and what it should be. */
export function desiredOf(digest: string, inputs: Record<string, string> = {}): Desired {
  return frozen({ host: 'a', role: 'web', plan: planOf('web'), digest, inputs, places: {} });
}

/** A problem with a disposition. */
export function problemOf(disposition: Problem['disposition'], message = 'it broke'): Problem {
  return frozen({ code: 'test.broke', disposition, message, hint: 'Mend it.' });
}

/** A role without code. */
export function roleOf(name: string, more: Partial<RoleDefinition> = {}): RoleDefinition {
  return frozen({
    name,
    file: `roles/${name}/role.ts`,
    sourceDigest: name,
    sources: [],
    targets: {},
    connect: {},
    serial: [],
    maxFailures: '100%' as const,
    after: [],
    ...more,
  });
}

/** Applied digests from plain objects: role → host → digest. */
export function appliedOf(
  digests: Readonly<Record<string, Readonly<Record<string, string>>>>,
): AppliedDigests {
  return new Map(Object.entries(digests).map(([role, hosts]) => [role, new Map(Object.entries(hosts))]));
}
