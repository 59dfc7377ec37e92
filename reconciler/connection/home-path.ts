/**
 * `~/` at the beginning of a path, as the home of the account that runs this process.
 * Invariant: every other path stays as it is.
 * Never looks at the file system.
 */

import { homedir } from 'node:os';
import { join } from 'node:path';

export function expandHome(path: string): string {
  return path.startsWith('~/') ? join(homedir(), path.slice(2)) : path;
}
