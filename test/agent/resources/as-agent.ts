/**
 * Guard → check → apply → verify of one resource, as the agent does it.
 * Invariant: fails the test when a second look after apply finds something left.
 * For tests only.
 */
import type { Change } from '../../../agent/protocol/change.ts';
import type { Facts } from '../../../agent/protocol/facts.ts';
import type { Kind } from '../../../agent/protocol/kind.ts';
import type { PlannedResource } from '../../../agent/protocol/plan.ts';
import { type Problem, ProblemError } from '../../../agent/protocol/problem.ts';
import type { Shapes } from '../../../agent/protocol/shapes/index.ts';
import type { Applied, CheckContext, CheckResult, Resource } from '../../../agent/resources/resource.ts';
import type { System } from '../../../agent/system/system.ts';
import { acts, applying, noFacts } from '../test-host.ts';

export const aptFacts: Facts = { ...noFacts, packageManager: 'apt' };
export const systemdFacts: Facts = { ...noFacts, initSystem: 'systemd' };

export interface Done {
  /** `action property` of what was announced. */
  readonly acts: readonly string[];
  readonly announced: readonly Change[];
  readonly applied: Applied;
  /** What verify still finds. */
  readonly left: readonly string[];
  readonly isGuarded: boolean;
}

/** Runs a resource once. */
export async function asAgent<K extends Kind>(
  system: System,
  resource: Resource<K>,
  wanted: Shapes[K],
): Promise<Done> {
  const isOpen = (await resource.guard?.(system, wanted)) ?? true;
  if (!isOpen) return { acts: [], announced: [], applied: undefined, left: [], isGuarded: true };
  const announced = known(await resource.check(system, wanted, applying));
  if (announced.length === 0) return { acts: [], announced, applied: undefined, left: [], isGuarded: false };
  const applied = await resource.apply(system, wanted, announced, applying);
  const left = known(await (resource.verify ?? resource.check)(system, wanted, applying));
  return { acts: acts(announced), announced, applied, left: acts(left), isGuarded: false };
}

/** A dry run's context with these resources still to come. */
export function dryRunAfter(...pending: PlannedResource[]): CheckContext {
  return { ...applying, pending };
}

/** One resource of a plan. */
export function planned<K extends Kind>(kind: K, wanted: Shapes[K]): PlannedResource {
  return { id: `${kind}:test`, kind, wanted, meta: {} } as unknown as PlannedResource;
}

/** The problem that an act fails with. */
export async function problemFrom(act: Promise<unknown>): Promise<Problem> {
  try {
    await act;
  } catch (error) {
    if (error instanceof ProblemError) return error.problem;
    throw error;
  }
  throw new Error('it did not fail');
}

function known(result: CheckResult): readonly Change[] {
  if ('unknown' in result) throw new Error(`unknown outside a dry run: ${result.unknown}`);
  return result;
}
