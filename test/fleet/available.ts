/**
 * Whether this machine can carry test hosts.
 * Invariant: the answer names what is missing, so a skipped test says why.
 * Never changes anything.
 */

import { accessSync, constants, readFileSync } from 'node:fs';
import { join } from 'node:path';

const programs = ['sshd', 'ssh', 'ssh-keygen', 'sudo', 'ip', 'nsenter', 'unshare', 'mount', 'pivot_root'];
const folders = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/bin', '/usr/bin', '/bin'];

/** Full path of a program in the folders every login has; undefined when it is not there. */
export function systemProgram(name: string): string | undefined {
  return folders.map((folder) => join(folder, name)).find(executable);
}

/** Why there can be no fleet here; undefined when there can. */
export function fleetAvailable(): string | undefined {
  if (process.platform !== 'linux') return 'test hosts need Linux';
  if (process.getuid?.() !== 0) return 'test hosts need root (namespaces, mounts)';
  const missing = programs.filter((name) => systemProgram(name) === undefined);
  if (missing.length > 0) return `test hosts need ${missing.join(', ')}: node scripts/prepare-tests.mjs`;
  if (!readFileSync('/proc/filesystems', 'utf8').includes('overlay'))
    return 'test hosts need overlayfs in the kernel: modprobe overlay';
  return undefined;
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
