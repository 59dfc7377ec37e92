/**
 * Whether a file holds the wanted content, and the change that says so.
 * Invariant: size first, then SHA-256; a diff only of content that is in memory already.
 * Reads only; never pulls content.
 */

import type { Content } from '../protocol/blob.ts';
import { type Change, makeChange } from '../protocol/change.ts';
import type { FileStat, SystemReader } from '../system/system.ts';
import { textDiff } from './text-diff.ts';

/** Larger files are neither read for a diff nor counted in lines. */
const diffLimit = 1024 * 1024;

/** Wanted content: its identity, and its bytes where they are in memory. */
export interface WantedContent {
  readonly content: Content;
  readonly bytes: Buffer | undefined;
}

/** The change to the content of an existing regular file; undefined when it is as wanted. */
export async function contentChange(
  system: SystemReader,
  file: { readonly path: string; readonly stat: FileStat; readonly property?: string },
  wanted: WantedContent,
): Promise<Change | undefined> {
  const { content, bytes } = wanted;
  const { path, stat, property = 'content' } = file;
  const hash = stat.size === content.size ? await system.sha256(path) : undefined;
  if (hash === content.sha256) return undefined;
  const diff =
    !bytes || Math.max(stat.size, content.size) > diffLimit
      ? undefined
      : textDiff((await system.readFile(path)) ?? Buffer.alloc(0), bytes);
  const change = makeChange('update', property, shown(stat.size, hash), shown(content.size, content.sha256));
  return { ...change, diff };
}

/** The diff of a file that is not there yet. */
export function newContentDiff(wanted: WantedContent | undefined): { diff?: string } {
  const bytes = wanted?.bytes;
  if (!bytes || bytes.length === 0 || bytes.length > diffLimit) return {};
  return { diff: textDiff(Buffer.alloc(0), bytes) };
}

function shown(size: number, hash: string | undefined): string {
  return hash === undefined ? `${size} bytes` : `${size} bytes, sha256 ${hash.slice(0, 12)}`;
}
