/**
 * Where the files are that Towline carries beside its code: the template, pages for people.
 * Invariant: the same file whether it runs from source or from the bundle of a release.
 * Never says whether it is there.
 */

import { fileURLToPath } from 'node:url';

/** The absolute path of a file or folder of the package; `path` counts from its root. */
export function packageFile(path: string): string {
  const up = import.meta.url.endsWith('.ts') ? '../../' : '../';
  return fileURLToPath(new URL(`${up}${path}`, import.meta.url));
}
