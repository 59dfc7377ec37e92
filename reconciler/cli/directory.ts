/**
 * Whether a directory may be taken for something new.
 * Invariant: only what does not exist or is empty may be taken.
 * Never writes.
 */

import { existsSync, readdirSync, statSync } from 'node:fs';

/** Why a directory cannot be taken, to follow its name; undefined when it is new or empty. */
export function whatIsThere(directory: string): string | undefined {
  if (!existsSync(directory)) return undefined;
  if (!statSync(directory).isDirectory()) return 'is a file';
  const [first, ...others] = readdirSync(directory).sort();
  if (first === undefined) return undefined;
  return `holds ${first}${others.length === 0 ? '' : ` and ${others.length} more`}`;
}
