/**
 * Paths that cannot be moved away underneath: an open descriptor named through /proc/self/fd.
 * Invariant: the last segment is never followed when it is a link, not even one put there in between.
 * Linux only; never keeps a descriptor beyond `use`.
 */

import type { Stats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import type { Files } from './at-once.ts';
import { constants, dirname, open } from './platform.ts';

/** O_PATH: a descriptor that names a file without opening it for anything. Node does not export it. */
const namesOnly = 0o10000000;

/** A pinned path: `path` reaches the pinned file itself, whatever happens to its name. */
export interface Pinned {
  readonly path: string;
  readonly stats: Stats;
  readonly handle: FileHandle;
}

/** Pins a path of any type (a link itself, never its target) while `use` runs. */
export async function pinned<T>(path: string | Buffer, use: (pin: Pinned) => Promise<T>): Promise<T> {
  const handle = await open(path, namesOnly | constants.O_NOFOLLOW);
  try {
    return await use({ path: `/proc/self/fd/${handle.fd}`, stats: await handle.stat(), handle });
  } finally {
    await handle.close();
  }
}

/** Makes the name at a path durable: what its directory says of it. File systems that cannot are left alone. */
export async function syncName(path: string, files: Files): Promise<void> {
  const handle = await files.open(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
  } finally {
    await handle.close();
  }
}
