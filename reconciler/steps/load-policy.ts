/**
 * Snapshot → inventory, roles and their order, all problems at once.
 * Invariant: what is loaded is whole or nothing; an unchanged revision is not loaded again.
 * Never evaluates a role for a host.
 */

import { canonicalJson } from '../../agent/protocol/json.ts';
import { type Checked, type Problem, placed, success } from '../../agent/protocol/problem.ts';
import type { Inventory } from '../../inventory/model.ts';
import { unmatchedTargets } from '../../inventory/select.ts';
import { orderRoles } from '../plan/role-order.ts';
import type { Environment } from '../policy/environment.ts';
import type { RoleDefinition } from '../policy/model.ts';
import type { Snapshot } from '../source/snapshot.ts';
import { readInventory } from './read-inventory.ts';
import { end, goOn, type Loaded, type Run, type Step } from './run.ts';

export const loadPolicy: Step = {
  name: 'load-policy',
  async take(run) {
    const { environment } = run.request;
    const snapshot = run.snapshot as Snapshot;
    const declaration = declarationOf(environment);
    const before = run.memory.lastGood;
    if (before?.snapshot.revision.id === snapshot.revision.id && before.declaration === declaration) {
      run.loaded = before;
      return goOn;
    }
    const loaded = await load(run, snapshot, declaration);
    if (!loaded.ok)
      return end(
        'stalled',
        loaded.problems.map((problem) => placed(problem, { environment: environment.name })),
      );
    run.loaded = loaded.value;
    return goOn;
  },
};

async function load(run: Run, snapshot: Snapshot, declaration: string): Promise<Checked<Loaded>> {
  const { environment } = run.request;
  const names = roleNames(snapshot, environment);
  const [inventory, policy] = await Promise.all([
    readInventory(snapshot, environment.inventory, run.memory.lastGood),
    run.services.engine.load(snapshot, names),
  ]);
  if (!inventory.ok || !policy.ok) {
    return { ok: false, problems: [inventory, policy].flatMap((part) => (part.ok ? [] : part.problems)) };
  }
  const declared = names.map((name) => policy.value.policy.roles.get(name) as RoleDefinition);
  const roles = orderRoles(declared);
  const missing = unknownTargets(inventory.value, declared);
  if (!roles.ok || missing.length > 0)
    return { ok: false, problems: [...missing, ...(roles.ok ? [] : roles.problems)] };
  return success({
    snapshot,
    inventory: inventory.value,
    policy: policy.value,
    roles: roles.value,
    declaration,
    inventoryPath: environment.inventory,
  });
}

/** The roles an environment uses: those it lists, or every one there is. */
/** The roles an environment has: those it names, or all of the policy. */
export function roleNames(snapshot: Snapshot, environment: Environment): readonly string[] {
  if (environment.roles.length > 0) return environment.roles;
  const found = [...snapshot.entries.keys()].map((path) => /^roles\/([^/]+)\/role\.ts$/.exec(path)?.[1]);
  return found.filter((name) => name !== undefined).sort();
}

/** Hosts and groups that a role names outright and the inventory does not have; a pattern may match nothing. */
function unknownTargets(inventory: Inventory, roles: readonly RoleDefinition[]): readonly Problem[] {
  return roles.flatMap(({ name, file, targets }) => {
    const named = { groups: targets.groups?.filter(isName), hosts: targets.hosts?.filter(isName) };
    return unmatchedTargets(inventory, named).map((problem) => placed(problem, { role: name, file }));
  });
}

function isName(pattern: string): boolean {
  return !/[*?[]/.test(pattern);
}

/** What of an environment's declaration decides about its plans. */
export function declarationOf(environment: Environment): string {
  return canonicalJson({ inventory: environment.inventory, roles: environment.roles });
}
