/**
 * The account this process runs as.
 * Invariant: always an answer; a uid without an entry is called by its number.
 * Reads only.
 */

import { userInfo } from 'node:os';

/** Name, ids and home of the effective account. */
export function ownAccount(): { name: string; uid: number; gid: number; home: string } {
  try {
    const { username, uid, gid, homedir } = userInfo();
    return { name: username, uid, gid, home: homedir };
  } catch {
    const [uid, gid] = [process.geteuid?.() ?? -1, process.getegid?.() ?? -1];
    return { name: String(uid), uid, gid, home: process.env.HOME ?? '/' };
  }
}
