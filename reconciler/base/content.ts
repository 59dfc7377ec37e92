/**
 * Content by hash, for what a plan names: read piece by piece, so that its size costs no memory.
 * Invariant: bytes given for a hash have that hash, or a read fails; who opens a reader closes it, and what a reader gave holds
 * until its next read or its close.
 * Never lists what it holds.
 */

/** The bytes of one content. */
export interface ContentReader {
  readonly size: number;
  /**
   * `count` bytes from `offset` on, fewer at the end; in `into`, which has room for them, where they must be copied anyway. Throws
   * a ProblemError when they are no longer what they were.
   */
  read(offset: number, count: number, into?: Buffer): Promise<Buffer>;
  /** Safe to call more than once. */
  close(): Promise<void>;
}

export interface ContentStore {
  /** A reader of the content; undefined when it is not here. */
  open(sha256: string): Promise<ContentReader | undefined>;
}

/** A reader of bytes that are in memory. */
export function heldContent(bytes: Buffer): ContentReader {
  return {
    size: bytes.length,
    read: async (offset, count) => bytes.subarray(offset, offset + count),
    close: async () => {},
  };
}

/** All bytes of a reader, which is closed: for what is known to be small. */
export async function readWhole(reader: ContentReader): Promise<Buffer> {
  try {
    return await reader.read(0, reader.size, Buffer.allocUnsafeSlow(reader.size));
  } finally {
    await reader.close();
  }
}
