/**
 * Which groups contain which, and in what order their variables come.
 * Invariant: `all` first, parents before children, otherwise the order declared.
 * Pure; checked for cycles before anything walks the tree.
 */

import type { Problem } from '../agent/protocol/problem.ts';
import { findCycles } from './cycles.ts';
import type { GroupDraft } from './draft.ts';
import { inventoryProblem } from './problem-codes.ts';
import { didYouMean } from './suggest.ts';

type Groups = ReadonlyMap<string, GroupDraft>;

/** Children that are not declared, and children that lead back to themselves. */
export function checkChildren(groups: Groups): readonly Problem[] {
  const problems: Problem[] = [];
  for (const [name, { children }] of groups) {
    for (const [child, where] of children) {
      if (groups.has(child) && child !== 'all') continue;
      problems.push(child === 'all' ? allAsChild(name, where) : unknownChild(child, { name, where, groups }));
    }
  }
  const next = (name: string) =>
    [...(groups.get(name)?.children.keys() ?? [])].filter((child) => child !== 'all');
  for (const cycle of findCycles(groups.keys(), next)) {
    const where = groups.get(cycle.at(-2) ?? '')?.children.get(cycle.at(-1) ?? '');
    const message = `groups contain each other: ${cycle.join(' → ')}`;
    problems.push(inventoryProblem('inventory.group-cycle', message, where && { where }));
  }
  return problems;
}

/** Every group, in the order in which variables are laid over each other. Needs groups without cycles. */
export function parentsFirst(groups: Groups): readonly string[] {
  const parents = parentsOf(groups);
  const ordered = new Set<string>(['all']);
  const visit = (name: string): void => {
    if (ordered.has(name)) return;
    for (const parent of parents.get(name) ?? []) visit(parent);
    ordered.add(name);
  };
  for (const name of groups.keys()) visit(name);
  return [...ordered];
}

/** Gives all groups that contain one of the given, themselves and `all` included. Answers are in no order. */
export function ancestorFinder(groups: Groups): (direct: Iterable<string>) => ReadonlySet<string> {
  const parents = parentsOf(groups);
  return (direct) => {
    const found = new Set<string>(['all']);
    const waiting = [...direct];
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      if (found.has(name)) continue;
      found.add(name);
      waiting.push(...(parents.get(name) ?? []));
    }
    return found;
  };
}

function parentsOf(groups: Groups): ReadonlyMap<string, readonly string[]> {
  const parents = new Map<string, string[]>();
  for (const [name, { children }] of groups) {
    for (const child of children.keys()) {
      const known = parents.get(child);
      if (known === undefined) parents.set(child, [name]);
      else known.push(name);
    }
  }
  return parents;
}

function allAsChild(name: string, where: NonNullable<Problem['where']>): Problem {
  const message = `group "${name}" lists "all" as a child, but every group is inside "all"`;
  return inventoryProblem('inventory.group-cycle', message, { where });
}

function unknownChild(
  child: string,
  { name, where, groups }: { name: string; where: NonNullable<Problem['where']>; groups: Groups },
): Problem {
  const message = `group "${name}" has an unknown child "${child}"${didYouMean(child, groups.keys())}`;
  return inventoryProblem('inventory.unknown-group', message, { where });
}
