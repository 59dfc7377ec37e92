/**
 * Processes of this machine as /proc shows them.
 * Invariant: a process that has ended meanwhile is none, not an error.
 * Test code only.
 */

import { readFileSync } from 'node:fs';

/** Pids of the processes that one has started and that have not been waited for. */
export function childrenOf(pid: number): readonly number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return text.split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
