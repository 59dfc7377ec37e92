/**
 * What kinds of file system cannot be relied on, by the type statfs gives.
 * Invariant: a local disk is never taken for a network file system.
 * Pure.
 */

/** Linux's magic numbers: nfs, smb, smb2, cifs, 9p, ceph, afs. */
const network: ReadonlySet<number> = new Set([
  0x6969, 0x517b, 0xfe534d42, 0xff534d42, 0x01021997, 0x00c36400, 0x5346414f,
]);

/** fuse (sshfs and others) and virtiofs: another side may write without a notice here. */
const shared: ReadonlySet<number> = new Set([0x65735546, 0x6a656a63]);

/** Whether locks on this file system cannot be trusted. */
export function isNetworkFileSystem(type: number): boolean {
  return network.has(type >>> 0);
}

/** Whether somebody else may change this file system without the kernel announcing it here. */
export function hasSilentWriters(type: number): boolean {
  return isNetworkFileSystem(type) || shared.has(type >>> 0);
}
