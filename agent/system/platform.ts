/**
 * The parts of Node that reach the host's files, named in one place: each further import of a module weighs in the bundle.
 * Invariant: everything the agent does to a file of its host is done with what stands here.
 * Never does more than Node does.
 */

import { lstat as nodeLstat, open as nodeOpen, readdir as nodeReaddir } from 'node:fs/promises';
import { dirname as nodeDirname, join as nodeJoin } from 'node:path';

export { createHash, randomUUID } from 'node:crypto';
export {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  read,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  unlinkSync,
  write,
  writeFileSync,
  writeSync,
} from 'node:fs';
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
export { resolve } from 'node:path';

/** Those that many call, as constants: an imported name weighs more at each of its calls. */
export const lstat = nodeLstat;
export const open = nodeOpen;
export const readdir = nodeReaddir;
export const dirname = nodeDirname;
export const join = nodeJoin;
