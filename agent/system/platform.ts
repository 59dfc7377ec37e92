/**
 * The parts of Node that reach the host's files, named in one place: each further import of a module weighs in the bundle.
 * Invariant: everything the agent does to a file of its host is done with what stands here.
 * Never wraps anything.
 */

export { createHash, randomBytes } from 'node:crypto';
export { constants, linkSync, mkdirSync, readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
export {
  access,
  appendFile,
  chmod,
  chown,
  copyFile,
  link,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  rmdir,
  symlink,
  unlink,
} from 'node:fs/promises';
export { dirname, join } from 'node:path';
