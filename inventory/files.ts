/**
 * Which files of a tree make up an inventory.
 * Invariant: a path that is a file is that file; a path that is a folder is its *.toml files, by name.
 * Pure; never looks into sub-folders.
 */

import { failure, type Result, success } from '../agent/protocol/problem.ts';
import { inventoryProblem } from './problem-codes.ts';
import { didYouMean } from './suggest.ts';

/** Picks the inventory's files out of all paths of a tree. */
export function inventoryFiles(inventory: string, paths: Iterable<string>): Result<readonly string[]> {
  const folder = `${inventory.replace(/\/+$/, '')}/`;
  const known = [...paths];
  if (known.includes(inventory)) return success([inventory]);
  const inside = known.filter(
    (path) => path.startsWith(folder) && path.endsWith('.toml') && !path.includes('/', folder.length),
  );
  if (inside.length > 0) return success(inside.sort());
  const near = didYouMean(inventory, known);
  return failure(
    inventoryProblem('inventory.no-files', `there is no inventory at "${inventory}"${near}`, {
      where: { file: inventory },
    }),
  );
}
