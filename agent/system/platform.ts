/**
 * The parts of Node that reach the host's files, named in one place: each further import of a module weighs in the bundle.
 * Invariant: everything the agent does to a file of its host is done with what stands here.
 * Never does more than Node does.
 */

import { constants as nodeConstants } from 'node:fs';
import {
  lstat as nodeLstat,
  open as nodeOpen,
  readdir as nodeReaddir,
  rmdir as nodeRmdir,
  unlink as nodeUnlink,
} from 'node:fs/promises';
import { dirname as nodeDirname, join as nodeJoin, resolve as nodeResolve } from 'node:path';

export { createHash, randomUUID } from 'node:crypto';
export {
  closeSync,
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
  symlink,
} from 'node:fs/promises';

/** Those that many use, as constants: an imported name weighs more at each of its uses. */
export const lstat = nodeLstat;
export const open = nodeOpen;
export const readdir = nodeReaddir;
export const constants = nodeConstants;
export const rmdir = nodeRmdir;
export const unlink = nodeUnlink;
export const dirname = nodeDirname;
export const join = nodeJoin;
export const resolve = nodeResolve;
