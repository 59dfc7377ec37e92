/**
 * Fact `mounts`: the file systems that hold files.
 * Invariant: what the kernel shows of itself (proc, sysfs, cgroups …) is left out; a path mounted over is listed once, as it is now.
 * Pure.
 */

import { mountTablePath, parseMounts } from '../system/mount-table.ts';
import type { Fact, FactExample } from './fact.ts';

const kernelOwn = new Set(
  (
    'proc sysfs cgroup cgroup2 devpts devtmpfs securityfs debugfs tracefs pstore bpf mqueue hugetlbfs configfs ' +
    'fusectl binfmt_misc autofs efivarfs rpc_pipefs nsfs selinuxfs fuse.gvfsd-fuse fuse.portal'
  ).split(' '),
);

export const mounts: Fact<'mounts'> = {
  files: [mountTablePath],
  parse({ files }) {
    const byPath = new Map(parseMounts(files[mountTablePath] ?? '').map((mount) => [mount.path, mount]));
    return [...byPath.values()].filter((mount) => !kernelOwn.has(mount.type));
  },
};

export const mountsExample: FactExample<'mounts'> = {
  observed: {
    files: { '/proc/self/mounts': 'proc /proc proc rw 0 0\n/dev/sda1 / ext4 ro,relatime 0 0\n' },
  },
  value: [{ path: '/', device: '/dev/sda1', type: 'ext4', readOnly: true }],
};
