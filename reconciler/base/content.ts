/**
 * Content by hash, for what a plan names.
 * Invariant: bytes given for a hash have that hash.
 * Never lists what it holds.
 */

export interface ContentStore {
  get(sha256: string): Promise<Buffer | undefined>;
}
