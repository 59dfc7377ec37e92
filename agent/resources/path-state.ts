/**
 * What the file-like kinds ask about a path before they plan: is its place there, would a dry run make it, is it the right type.
 * Invariant: outside a dry run (nothing pending) the answer is never unknown.
 * Reads only.
 */

import { dirname, join } from 'node:path';
import type { Change } from '../protocol/change.ts';
import type { PlannedResource } from '../protocol/plan.ts';
import type { ProblemError } from '../protocol/problem.ts';
import type { FileStat, FileType, SystemReader } from '../system/system.ts';
import { refusal } from './refusal.ts';
import type { CheckContext } from './resource.ts';

export interface Unknown {
  readonly unknown: string;
}

export const absentToPresent = {
  action: 'create',
  property: 'state',
  from: 'absent',
  to: 'present',
} as const;

/** The path without trailing or doubled slashes. */
export function cleanPath(path: string): string {
  return join('/', path).replace(/(.)\/$/, '$1');
}

/** The change that removes what is at a path. */
export function removal(stat: FileStat, property = 'state'): Change {
  return { action: 'remove', property, from: stat.type, to: 'absent' };
}

/** The problem of another type at the path than the one wanted. */
export function wrongType(path: string, found: FileType, wanted: string): ProblemError {
  const shown =
    found === 'other' ? 'a device, pipe or socket' : `a ${found === 'link' ? 'symbolic link' : found}`;
  return refusal('file.wrong-type', `${path} is ${shown}, not ${wanted}`);
}

/** Whether something new can be put at `path`: undefined when it can. Throws file.parent-missing or file.wrong-type. */
export async function checkParent(
  system: SystemReader,
  path: string,
  context: CheckContext,
): Promise<Unknown | undefined> {
  const parent = dirname(path);
  const stat = await system.stat(parent === '/' ? '/' : `${parent}/.`);
  if (stat?.type === 'directory') return undefined;
  if (context.pending.some((resource) => makesDirectory(resource, parent))) return undefined;
  const maker = vagueMaker(context);
  if (maker !== undefined) return { unknown: `${parent} is not there yet; ${maker} may make it` };
  const other = await system.stat(parent);
  if (other !== undefined && other.type !== 'link') throw wrongType(parent, other.type, 'a directory');
  throw refusal('file.parent-missing', `${path}: its directory ${parent} does not exist`);
}

/** Dry run: a resource whose effects on the file system cannot be foreseen. */
export function vagueMaker(context: CheckContext): string | undefined {
  const vague = ['package', 'command', 'service', 'user'];
  return context.pending.find((resource) => vague.includes(resource.kind))?.id;
}

/** Dry run: the resources that would write or remove the file at exactly this path. */
export function pendingWriters(context: CheckContext, path: string): readonly PlannedResource[] {
  return context.pending.filter((resource) => {
    if (resource.kind === 'directory') {
      const base = cleanPath(resource.wanted.path);
      return resource.wanted.tree?.some((entry) => join(base, entry.path) === path) ?? false;
    }
    return 'path' in resource.wanted && cleanPath(resource.wanted.path ?? '') === path;
  });
}

function makesDirectory(resource: PlannedResource, path: string): boolean {
  if (resource.kind === 'user') return resource.wanted.home === path && resource.wanted.state === 'present';
  if (resource.kind !== 'directory' && resource.kind !== 'link') return false;
  if (resource.wanted.state !== 'present') return false;
  const made = cleanPath(resource.wanted.path);
  if (made === path) return true;
  if (resource.kind === 'link') return false;
  return resource.wanted.tree?.some((entry) => join(made, entry.path).startsWith(`${path}/`)) ?? false;
}
