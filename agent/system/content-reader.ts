/**
 * Where new content comes from, as seen by agent/system: by hash, held in memory or pulled.
 * Invariant: `open` hands out bytes whose hash the consumer verifies; `held` never waits.
 * An interface only; the agent's core implements it over the line.
 */

import type { Content } from '../protocol/blob.ts';

export interface ContentReader {
  /** Bytes already in memory. */
  held(content: Content): Buffer | undefined;
  /** The bytes in order, from memory or pulled as they are consumed. */
  open(content: Content): Promise<AsyncIterable<Buffer>>;
}
