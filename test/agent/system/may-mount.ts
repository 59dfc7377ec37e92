/**
 * Whether tests may mount file systems here: that needs root and the right to mount, which some containers withhold.
 * Invariant: asking leaves no mount behind.
 * For tests only.
 */

import { execFileSync } from 'node:child_process';

/** Whether a file system in memory can be mounted. */
export function mayMount(): boolean {
  return process.getuid?.() === 0 && succeeds('mount -t tmpfs none /mnt');
}

/** Options of a mount by a program that has /dev/fuse open as 3. */
export const fuseOptions = 'fd=3,rootmode=40000,user_id=0,group_id=0';

/** Whether a file system that a program answers for can be mounted. */
export function mayMountFuse(): boolean {
  return mayMount() && succeeds(`exec 3<>/dev/fuse && mount -i -t fuse -o ${fuseOptions} none /mnt`);
}

function succeeds(script: string): boolean {
  try {
    execFileSync('unshare', ['-m', 'sh', '-c', script], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
