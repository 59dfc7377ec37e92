/**
 * What a dry run's resources-to-come could still bring to the host.
 * Invariant: leans to "could": a dry run that cannot rule something out says unknown, never no.
 * Pure.
 */

import type { PlannedResource } from '../protocol/plan.ts';

/** Whether something pending writes at a path that the predicate accepts. */
export function mayWrite(pending: readonly PlannedResource[], accepts: (path: string) => boolean): boolean {
  return pending.some((each) => {
    switch (each.kind) {
      case 'directory':
        return [each.wanted.path, ...treePaths(each.wanted)].some(accepts);
      case 'file':
      case 'template':
      case 'link':
      case 'line':
      case 'block':
        return accepts(each.wanted.path);
      default:
        return false;
    }
  });
}

/** Whether a command is pending: it may do anything. */
export function mayRunCommand(pending: readonly PlannedResource[]): boolean {
  return pending.some((each) => each.kind === 'command');
}

function treePaths(directory: {
  readonly path: string;
  readonly tree?: readonly { path: string }[] | undefined;
}): string[] {
  return (directory.tree ?? []).map((entry) => `${directory.path}/${entry.path}`);
}
