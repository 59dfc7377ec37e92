/**
 * Removes a directory with all it holds.
 * Invariant: never leaves the directory (links are removed, not followed, even when swapped in meanwhile) and never crosses
 * a mount point: a tree with one inside is refused before anything is removed.
 * Never follows a name twice; every level is pinned while it is emptied. Names are bytes here, since they need not be UTF-8.
 */

import type { ProblemError } from '../protocol/problem.ts';
import { refusal } from '../protocol/problem-codes.ts';
import { mountTablePath, parseMounts } from './mount-table.ts';
import { pinned } from './pinned-path.ts';
import { join, lstat, readdir, readFile, realpath, rmdir, unlink } from './platform.ts';

/** Removes the directory at `path`. Throws errno errors as they come, resource.failed for a mount point. */
export async function removeTree(path: string): Promise<void> {
  await refuseMounts(path);
  await pinned(path, async ({ path: inside, stats }) => {
    if (stats.isDirectory()) await empty(inside, { device: stats.dev, shown: path });
  });
  await rmdir(path);
}

async function refuseMounts(path: string): Promise<void> {
  const real = await realpath(path);
  const below = real === '/' ? '/' : `${real}/`;
  const mounts = parseMounts(await readFile(mountTablePath, 'utf8'));
  const mount = mounts.find((entry) => entry.path === real || entry.path.startsWith(below));
  if (mount) throw crossing(mount.path);
}

async function empty(directory: string, place: { device: number; shown: string }): Promise<void> {
  for (const name of await readdir(directory, { encoding: 'buffer' })) {
    const child = Buffer.concat([Buffer.from(`${directory}/`), name]);
    const shown = join(place.shown, name.toString());
    if (!(await lstat(child)).isDirectory()) {
      await unlink(child);
      continue;
    }
    await pinned(child, async ({ path: inside, stats }) => {
      if (stats.dev !== place.device) throw crossing(shown);
      if (stats.isDirectory()) await empty(inside, { device: place.device, shown });
    });
    await rmdir(child);
  }
}

function crossing(path: string): ProblemError {
  return refusal('file.mount-point', `will not remove the mount point ${path}`);
}
