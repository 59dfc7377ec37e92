/**
 * Where the agent may keep what must outlive it for a while: the host lock and the journal.
 * Invariant: the lock's directory is the same for every account of a host; the journal's belongs to the account alone.
 * Never makes a directory; whoever writes does.
 */

import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

export interface Places {
  readonly lock: string;
  readonly journal: string;
}

/** TOWLINE_HOST_DIR, where set, holds both: it makes several hosts of one machine tell apart. */
export function findPlaces(
  env: Readonly<Record<string, string | undefined>>,
  uid: number,
  home: string,
): Places {
  const own = env.TOWLINE_HOST_DIR;
  if (own?.startsWith('/')) return { lock: own, journal: join(own, 'journal') };
  return {
    lock: ['/run/lock', '/tmp'].find(isWritable) ?? '/tmp',
    journal: uid === 0 ? '/var/lib/towline/journal' : join(home, '.local/state/towline/journal'),
  };
}

function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
