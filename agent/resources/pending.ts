/**
 * What resources before this one may do to the host, as far as their parameters tell; filled in dry runs only.
 * Invariant: errs towards "it may": a dry run answers `unknown` rather than wrong.
 * Pure; paths are compared clean.
 */

import type { Change } from '../protocol/change.ts';
import type { PlannedResource } from '../protocol/plan.ts';
import { join } from '../system/platform.ts';
import type { CheckResult } from './resource.ts';

type Pending = readonly PlannedResource[];

const vagueKinds: readonly string[] = ['package', 'command', 'service', 'user'];

/** Thrown, in a dry run, by what cannot be known before something pending is done. */
export class Unforeseen extends Error {}

/** The answer of a check that asks about something a pending resource may bring. */
export function mayCome(what: string): CheckResult {
  return { unknown: `a resource before it may bring ${what}` };
}

/** A check in which anything may throw Unforeseen: then that is its answer. */
export function foreseeing<A extends readonly unknown[]>(
  check: (...args: A) => Promise<readonly Change[]>,
): (...args: A) => Promise<CheckResult> {
  return async (...args) => {
    try {
      return await check(...args);
    } catch (error) {
      if (error instanceof Unforeseen) return { unknown: error.message };
      throw error;
    }
  };
}

/** The path without trailing or doubled slashes. */
export function cleanPath(path: string): string {
  return join('/', path).replace(/(.)\/$/, '$1');
}

/** Whether something pending writes at a path that the predicate accepts. */
export function mayWrite(pending: Pending, accepts: (path: string) => boolean): boolean {
  return pending.some(
    (each) =>
      filesOf(each).some(accepts) || (each.kind === 'directory' && accepts(cleanPath(each.wanted.path))),
  );
}

/** Whether a command is pending: it may do anything. */
export function mayRunCommand(pending: Pending): boolean {
  return pending.some((each) => each.kind === 'command');
}

/** A resource whose effects on the file system cannot be foreseen. */
export function vagueMaker(pending: Pending): string | undefined {
  return pending.find(({ kind }) => vagueKinds.includes(kind))?.id;
}

/** The resources that would write or remove the file at exactly this path. */
export function writersOf(pending: Pending, path: string): Pending {
  return pending.filter((each) => filesOf(each).includes(path));
}

/** Whether there will be a directory at the path. */
export function mayMakeDirectory(pending: Pending, path: string): boolean {
  return pending.some((each) => {
    const { kind, wanted } = each;
    if (kind === 'user') return wanted.home === path && wanted.state === 'present';
    if ((kind !== 'directory' && kind !== 'link') || wanted.state !== 'present') return false;
    if (cleanPath(wanted.path) === path) return true;
    return kind === 'directory' && filesOf(each).some((file) => file.startsWith(`${path}/`));
  });
}

/** The files, or links, that a resource names; of a directory those of its tree. */
function filesOf({ kind, wanted }: PlannedResource): readonly string[] {
  if (kind === 'directory') return (wanted.tree ?? []).map(({ path }) => join(cleanPath(wanted.path), path));
  return 'path' in wanted && wanted.path !== undefined ? [cleanPath(wanted.path)] : [];
}
