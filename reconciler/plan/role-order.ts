/**
 * The order of an environment's roles: as declared, refined by what each comes `after`.
 * Invariant: stable; a role comes later than every wanted role it names; a cycle is reported as its path.
 * Pure.
 */

import { type Checked, success } from '../../agent/protocol/problem.ts';
import { planProblem } from '../base/problem-codes/plan.ts';
import type { RoleDefinition } from '../policy/model.ts';

/** Roles in the order they are rolled out. Names in `after` that the environment does not use are ignored. */
export function orderRoles(roles: readonly RoleDefinition[]): Checked<readonly RoleDefinition[]> {
  const byName = new Map(roles.map((role) => [role.name, role]));
  const ordered = new Set<RoleDefinition>();
  const open: string[] = [];
  let cycle: string[] | undefined;
  const visit = (role: RoleDefinition): void => {
    if (ordered.has(role) || cycle !== undefined) return;
    if (open.includes(role.name)) {
      cycle = [...open.slice(open.indexOf(role.name)), role.name];
      return;
    }
    open.push(role.name);
    for (const name of role.after) {
      const earlier = byName.get(name);
      if (earlier !== undefined) visit(earlier);
    }
    open.pop();
    ordered.add(role);
  };
  for (const role of roles) visit(role);
  if (cycle === undefined) return success([...ordered]);
  const path = (cycle as string[]).join(' → ');
  const file = byName.get((cycle as string[])[0] as string)?.file;
  const where = file === undefined ? undefined : { file };
  return {
    ok: false,
    problems: [
      planProblem('plan.role-cycle', `roles wait for each other: ${path}`, { ...(where && { where }) }),
    ],
  };
}
