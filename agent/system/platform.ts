/**
 * The parts of Node that reach the host's files, named in one place: each further import of a module weighs in the bundle.
 * Invariant: everything the agent does to a file of its host is done with what stands here.
 * Never does more than Node does.
 */

import { lstat as nodeLstat, open as nodeOpen, readdir as nodeReaddir } from 'node:fs/promises';
import { dirname as nodeDirname, join as nodeJoin } from 'node:path';

export { createHash, randomBytes } from 'node:crypto';
export { constants, linkSync, mkdirSync, readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
export {
  access,
  appendFile,
  chmod,
  chown,
  copyFile,
  link,
  mkdir,
  mkdtemp,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  rmdir,
  symlink,
  unlink,
} from 'node:fs/promises';

/** Those that many call, as constants: an imported name weighs more at each of its calls. */
export const lstat = nodeLstat;
export const open = nodeOpen;
export const readdir = nodeReaddir;
export const dirname = nodeDirname;
export const join = nodeJoin;
