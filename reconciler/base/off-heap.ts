/**
 * Memory outside of the engine's heap, given back by who knows that nobody needs it any more.
 * Invariant: only memory that a buffer has to itself is given back.
 * Never for bytes that were handed out: they would be gone there too.
 */

/** Shorter buffers share memory, or are not worth the trouble. */
export const ownMemoryFrom = 8 * 1024;

/**
 * Frees the memory of a buffer at once. The collector counts what is outside of the heap too late: left to it, a large transfer
 * would pile up as much as it lets pass.
 */
export function freeBytes(bytes: Buffer): void {
  const { buffer } = bytes;
  if (bytes.length >= ownMemoryFrom && buffer instanceof ArrayBuffer && buffer.byteLength === bytes.length)
    buffer.transfer(0);
}
