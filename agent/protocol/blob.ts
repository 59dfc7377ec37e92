/**
 * Content by hash: what a plan holds instead of bytes.
 * Invariant: sha256 is the lower-case hex SHA-256 of exactly `size` bytes.
 * Pure.
 */

import { createHash } from 'node:crypto';
import * as z from './schema.ts';

/** The name of some bytes. */
export function sha256Of(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export const sha256Schema = z.matching(/^[0-9a-f]{64}$/);
export const contentSchema = z.object({
  sha256: sha256Schema,
  size: z.number.check(z.holds((size) => size >= 0, 'is negative')),
});

/** A reference to content. */
export type Content = z.Infer<typeof contentSchema>;

/** Content up to this many bytes travels inside the converge call; larger content is pulled by the agent. */
export const inlineLimit = 256 * 1024;

/** Bytes per pulled chunk: fewer cost more trips and wake-ups for each byte, more would wait for a slow line. */
export const chunkSize = 512 * 1024;
