/**
 * Files of snapshots by what they hold.
 * Invariant: one hash for one content identity, whatever snapshot it is in; bytes are read again, never kept.
 * Reads snapshots only.
 */

import { createHash, hash } from 'node:crypto';
import type { Snapshot } from '../source/snapshot.ts';
import type { PolicyFile, PolicyFileNeed, PolicyTree } from './evaluation/messages.ts';

const pieceBytes = 1024 * 1024;

interface Known {
  readonly sha256: string;
  readonly size: number;
}

/** Hashes by content identity; shared by all snapshots of an engine. */
export class ContentIndex {
  readonly #known = new Map<string, Known>();

  /** One file as evaluations see it. */
  async file(snapshot: Snapshot, path: string, need: PolicyFileNeed): Promise<PolicyFile | null> {
    const entry = snapshot.entries.get(path);
    if (entry === undefined) return null;
    const { id, executable } = entry;
    if (need === 'text') {
      const bytes = await snapshot.read(path);
      const known = this.#keep(id, { sha256: hash('sha256', bytes), size: bytes.length });
      return { id, executable, ...known, text: bytes.toString('utf8') };
    }
    const known = this.#known.get(id) ?? this.#keep(id, entry.content ?? (await hashed(snapshot, path)));
    return { id, executable, ...known };
  }

  #keep(id: string, known: Known): Known {
    this.#known.set(id, known);
    return known;
  }

  /** All files below a folder, hashed. */
  async tree(snapshot: Snapshot, folder: string): Promise<PolicyTree> {
    const files = new Map<string, PolicyFile>();
    const prefix = `${folder}/`;
    for (const path of snapshot.entries.keys()) {
      const file = path.startsWith(prefix) ? await this.file(snapshot, path, 'content') : null;
      if (file !== null) files.set(path.slice(prefix.length), file);
    }
    return { id: treeId(snapshot, folder), files };
  }

  /** The hash of a file that was looked at before. */
  knownHash(snapshot: Snapshot, path: string): string | undefined {
    return this.#known.get(snapshot.entries.get(path)?.id ?? '')?.sha256;
  }
}

/** Hashes a file piece by piece, so that its size does not matter. */
async function hashed(snapshot: Snapshot, path: string): Promise<Known> {
  const reader = await snapshot.open(path);
  try {
    const digest = createHash('sha256');
    for (let at = 0; at < reader.size; at += pieceBytes) digest.update(await reader.read(at, pieceBytes));
    return { sha256: digest.digest('hex'), size: reader.size };
  } finally {
    await reader.close();
  }
}

/** Identity of all that lies below a folder. */
export function treeId(snapshot: Snapshot, folder: string): string {
  const prefix = `${folder}/`;
  const lines: string[] = [];
  for (const [path, { id, executable }] of snapshot.entries) {
    if (path.startsWith(prefix)) lines.push(`${path.slice(prefix.length)}\0${id}\0${executable}`);
  }
  return hash('sha256', lines.join('\n'));
}
