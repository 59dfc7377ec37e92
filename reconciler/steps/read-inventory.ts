/**
 * The inventory of a snapshot: one file, or every TOML file of a folder.
 * Invariant: files that did not change are not read again.
 * Never looks at roles.
 */

import { type Checked, success } from '../../agent/protocol/problem.ts';
import { loadInventory } from '../../inventory/load.ts';
import type { Inventory } from '../../inventory/model.ts';
import { planProblem } from '../base/problem-codes/plan.ts';
import type { Snapshot } from '../source/snapshot.ts';
import type { Loaded } from './run.ts';

/** The inventory; the one in force when its files are the same. */
export async function readInventory(
  snapshot: Snapshot,
  path: string,
  before: Loaded | undefined,
): Promise<Checked<Inventory>> {
  const paths = inventoryPaths(snapshot, path);
  if (paths.length === 0) {
    const problem = planProblem('plan.inventory-missing', `there is no inventory at ${path}`, {
      where: { file: path },
    });
    return { ok: false, problems: [problem] };
  }
  if (before !== undefined && isSame(before, snapshot, { path, paths })) return success(before.inventory);
  const files = await Promise.all(
    paths.map(async (each) => ({ path: each, text: (await snapshot.read(each)).toString('utf8') })),
  );
  return loadInventory(files);
}

function isSame(
  before: Loaded,
  { entries }: Snapshot,
  { path, paths }: { readonly path: string; readonly paths: readonly string[] },
): boolean {
  if (before.inventoryPath !== path) return false;
  if (inventoryPaths(before.snapshot, path).length !== paths.length) return false;
  return paths.every((each) => before.snapshot.entries.get(each)?.id === entries.get(each)?.id);
}

/** A file, or every TOML file directly in a folder. */
function inventoryPaths(snapshot: Snapshot, path: string): readonly string[] {
  if (snapshot.entries.has(path)) return [path];
  const folder = `${path.replace(/\/$/, '')}/`;
  return [...snapshot.entries.keys()].filter(
    (each) => each.startsWith(folder) && each.endsWith('.toml') && !each.slice(folder.length).includes('/'),
  );
}
