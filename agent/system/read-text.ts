/**
 * A file of the host as text.
 * Invariant: what is not there reads as empty.
 * Never writes.
 */

import type { SystemReader } from './system.ts';

/** The text of a file; empty without one. `limit` as for readFile. */
export async function readText(system: SystemReader, path: string, limit?: number): Promise<string> {
  return (await system.readFile(path, limit))?.toString() ?? '';
}
