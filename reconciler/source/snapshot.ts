/**
 * A frozen tree of policy files: at a commit, or of a settled working tree. One interface for both.
 * Invariant: reading the same path of a snapshot twice gives the same bytes, whatever happens to the repository meanwhile.
 * Never exposes a path outside the tree; paths are relative, with forward slashes.
 */

import type { ContentReader } from '../base/content.ts';
import type { RevisionInfo } from '../base/event.ts';

export interface SnapshotEntry {
  readonly path: string;
  /** Identity of the content within its source: equal ids mean equal bytes. */
  readonly id: string;
  readonly executable: boolean;
  /** The identity of its content, where that was found out on the way. */
  readonly content?: { readonly sha256: string; readonly size: number } | undefined;
}

export interface Snapshot {
  readonly revision: RevisionInfo;
  /** Every file, by path, sorted. Symbolic links and submodules are not among them. */
  readonly entries: ReadonlyMap<string, SnapshotEntry>;
  /** The bytes of a file; fails with source.no-such-file. */
  read(path: string): Promise<Buffer>;
  /** The same bytes piece by piece: a file of any size costs no memory. The reader has to be closed. */
  open(path: string): Promise<ContentReader>;
}

/** Paths that differ between two snapshots of one source: added, removed or changed, sorted. Pure. */
export function changedPaths(before: Snapshot, after: Snapshot): readonly string[] {
  const changed = new Set<string>();
  for (const [path, entry] of after.entries) {
    if (before.entries.get(path)?.id !== entry.id) changed.add(path);
  }
  for (const path of before.entries.keys()) if (!after.entries.has(path)) changed.add(path);
  return [...changed].sort();
}
