/**
 * Content by id, up to a number of bytes; the least recently used leaves first.
 * Invariant: the sum of what is held never exceeds the bound.
 * Never gives out a buffer that a caller could change for the next one.
 */

export interface ByteCache {
  get(id: string): Buffer | undefined;
  put(id: string, content: Buffer): void;
}

/** A cache of at most `bound` bytes; content larger than an eighth of it is not kept. */
export function createByteCache(bound: number): ByteCache {
  const held = new Map<string, Buffer>();
  let bytes = 0;
  const drop = (id: string, content: Buffer): void => {
    held.delete(id);
    bytes -= content.length;
  };
  return {
    get(id) {
      const content = held.get(id);
      if (content === undefined) return undefined;
      held.delete(id);
      held.set(id, content);
      return Buffer.from(content);
    },
    put(id, content) {
      if (content.length > bound / 8 || held.has(id)) return;
      held.set(id, Buffer.from(content));
      bytes += content.length;
      for (const [oldest, old] of held) {
        if (bytes <= bound) break;
        drop(oldest, old);
      }
    },
  };
}
