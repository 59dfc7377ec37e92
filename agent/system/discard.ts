/**
 * Takes away what is of no use any more.
 * Invariant: what cannot be taken away stays, and nobody hears of it; a directory goes only when it is empty.
 * Never follows a link.
 */

import { rmdir, unlink } from './platform.ts';

export async function discardFile(path: string): Promise<void> {
  await unlink(path).catch(() => {});
}

export async function discardDirectory(path: string): Promise<void> {
  await rmdir(path).catch(() => {});
}
