/**
 * What in a working tree is not policy: git's own files, installed packages, state, and what editors leave for a moment.
 * Invariant: the same answer for watching and for reading, so nothing is read that is not watched.
 * Pure. `.gitignore` is not consulted: reading it per path costs more than reading the files, and an unused file changes nothing.
 */

const folders: ReadonlySet<string> = new Set(['.git', 'node_modules', '.towline']);

const leftovers: readonly RegExp[] = [
  /~$/,
  /^\.#/,
  /^#.*#$/,
  /\.sw[a-px]$/,
  /^4913$/,
  /^\.goutputstream-/,
  /___jb_(?:tmp|old)___$/,
  /\.kate-swp$/,
  /^\.DS_Store$/,
];

/** Whether a file or folder of this name is left out, wherever it is. */
export function isIgnoredName(name: string): boolean {
  return folders.has(name) || leftovers.some((pattern) => pattern.test(name));
}

/** Whether a path relative to the tree's root is left out; the root itself is not. */
export function isIgnoredPath(path: string): boolean {
  return path !== '' && path.split('/').some(isIgnoredName);
}
