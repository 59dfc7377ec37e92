/**
 * Where the agent may keep what must outlive it for a while: the host lock and the journal.
 * Invariant: the lock's directory is the same for every account of a host; the journal's belongs to the account alone.
 * Never makes a directory; whoever writes does.
 */

import { statSync } from './system/platform.ts';

export interface Places {
  readonly lock: string;
  readonly journal: string;
}

/** TOWLINE_HOST_DIR, where set, holds both: it makes several hosts of one machine tell apart. */
export function findPlaces(
  env: Readonly<Record<string, string | undefined>>,
  uid: number,
  home: string,
  shared: readonly string[] = ['/run/lock', '/tmp'],
): Places {
  const own = env.TOWLINE_HOST_DIR;
  if (own?.startsWith('/')) return { lock: own, journal: `${own}/journal` };
  return {
    lock: shared.find(isOpenToAll) ?? '/tmp',
    journal: uid === 0 ? '/var/lib/towline/journal' : `${home}/.local/state/towline/journal`,
  };
}

/** Where one account only may write, the others would take another lock. */
function isOpenToAll(directory: string): boolean {
  const stats = statSync(directory, { throwIfNoEntry: false });
  return stats !== undefined && (stats.mode & 0o002) !== 0;
}
