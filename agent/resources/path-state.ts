/**
 * What the file-like kinds ask about a path before they plan: is its place there, would a dry run make it, is it the right type.
 * Invariant: outside a dry run (nothing pending) the answer is never unknown.
 * Reads only.
 */

import { type Change, makeChange } from '../protocol/change.ts';
import type { ProblemError } from '../protocol/problem.ts';
import { refusal } from '../protocol/problem-codes.ts';
import { dirname } from '../system/platform.ts';
import type { FileStat, FileType, SystemReader } from '../system/system.ts';
import { mayMakeDirectory, Unforeseen, vagueMaker } from './pending.ts';
import type { CheckContext } from './resource.ts';

export const absentToPresent = makeChange('create', 'state', 'absent', 'present');

/** The change that removes what is at a path. */
export function removal(stat: FileStat, property = 'state'): Change {
  return makeChange('remove', property, stat.type, 'absent');
}

/** The problem of another type at the path than the one wanted. */
export function wrongType(path: string, found: FileType, wanted: string): ProblemError {
  const shown =
    found === 'other' ? 'a device, pipe or socket' : `a ${found === 'link' ? 'symbolic link' : found}`;
  return refusal('file.wrong-type', `${path} is ${shown}, not ${wanted}`);
}

/** Something new can be put at `path`. Throws Unforeseen, file.parent-missing or file.wrong-type. */
export async function checkParent(system: SystemReader, path: string, context: CheckContext): Promise<void> {
  const parent = dirname(path);
  const stat = await system.stat(parent === '/' ? '/' : `${parent}/.`);
  if (stat?.type === 'directory' || mayMakeDirectory(context.pending, parent)) return;
  const maker = vagueMaker(context.pending);
  if (maker !== undefined) throw new Unforeseen(`${parent} is not there yet; ${maker} may make it`);
  const other = await system.stat(parent);
  if (other && other.type !== 'link') throw wrongType(parent, other.type, 'a directory');
  throw refusal('file.parent-missing', `${path}: its directory ${parent} does not exist`);
}
