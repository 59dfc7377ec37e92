/**
 * What changed on a host since it was made: its writable layer as a map.
 * Invariant: two equal maps mean that nothing was written to the host's disk in between, but for the noise listed here.
 * Never follows a link: paths in the layer belong to the host.
 */

import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

export interface OverlayEntry {
  readonly type: 'file' | 'directory' | 'link' | 'removed' | 'other';
  /** Permission bits in octal. */
  readonly mode: string;
  readonly owner: string;
  /** Content by SHA-256, or a link's target. */
  readonly content?: string;
  readonly modified?: number;
}

export type OverlayTree = ReadonlyMap<string, OverlayEntry>;

/** Written by logging in and by sudo themselves, whatever the program behind them does. */
export const loginNoise: ReadonlyMap<string, string> = new Map([
  ['/var/log/wtmp', 'sshd records sessions with a terminal'],
  ['/var/log/btmp', 'sshd records refused passwords'],
  ['/var/log/lastlog', 'sshd records the last login of an account'],
  ['/var/lib/sudo/lectured', 'sudo notes whom it has told its first-use lecture'],
]);

/** Reads the layer; `/run`, `/tmp`, `/dev/shm` are memory of their own and not in it. */
export function readOverlay(upper: string): OverlayTree {
  const tree = new Map<string, OverlayEntry>();
  walk(upper, '', tree);
  return tree;
}

function walk(upper: string, folder: string, tree: Map<string, OverlayEntry>): void {
  for (const name of readdirSync(join(upper, folder)).sort()) {
    const path = `${folder}/${name}`;
    if (loginNoise.has(path)) continue;
    const entry = read(join(upper, path));
    if (!(entry.type === 'directory' && aboveNoise(path))) tree.set(path, entry);
    if (entry.type === 'directory') walk(upper, path, tree);
  }
}

/** A folder is copied up when something below it is written, which says nothing by itself. */
function aboveNoise(path: string): boolean {
  return [...loginNoise.keys()].some((noise) => noise.startsWith(`${path}/`));
}

function read(path: string): OverlayEntry {
  const stat = lstatSync(path);
  const common = { mode: (stat.mode & 0o7777).toString(8), owner: `${stat.uid}:${stat.gid}` };
  if (stat.isDirectory()) return { type: 'directory', ...common };
  if (stat.isSymbolicLink()) return { type: 'link', ...common, content: readlinkSync(path) };
  if (stat.isCharacterDevice() && stat.rdev === 0) return { type: 'removed', ...common };
  if (!stat.isFile()) return { type: 'other', ...common };
  const content = createHash('sha256').update(readFileSync(path)).digest('hex');
  return { type: 'file', ...common, content, modified: stat.mtimeMs };
}
