/**
 * Which file systems cannot be relied on.
 */

import { describe, expect, it } from 'vitest';
import { hasSilentWriters, isNetworkFileSystem } from '../../../reconciler/base/file-system.ts';

describe('file system types', () => {
  it('tells nfs and cifs from local disks and overlays', () => {
    expect([0x6969, 0xff534d42 | 0].map(isNetworkFileSystem)).toEqual([true, true]);
    expect([0xef53, 0x794c7630, 0x65735546].map(isNetworkFileSystem)).toEqual([false, false, false]);
  });

  it('expects silent writers on fuse as well', () => {
    expect([0x6969, 0x65735546].map(hasSilentWriters)).toEqual([true, true]);
    expect([0xef53, 0x794c7630].map(hasSilentWriters)).toEqual([false, false]);
  });
});
