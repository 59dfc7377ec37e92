/**
 * JSON that many rows share, held once by the SHA-256 of its text, compressed.
 * Invariant: what is read equals what was put; a document without a reader is removed with the row that was its last.
 * Never reorders keys: a delta compares the texts of resources.
 */

import { createHash } from 'node:crypto';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { Database } from './database.ts';

/** Puts a JSON value and gives its id. Inside a transaction. */
export function putDocument(database: Database, value: unknown): number {
  const text = JSON.stringify(value);
  const sha256 = createHash('sha256').update(text).digest();
  const find = 'SELECT id FROM documents WHERE sha256 = ?';
  const held = database.get<{ id: number }>(find, sha256);
  if (held !== undefined) return held.id;
  database.run('INSERT INTO documents (sha256, body) VALUES (?, ?)', sha256, pack(text));
  return (database.get<{ id: number }>(find, sha256) as { id: number }).id;
}

/** Removes documents that nothing in the ledger names any more. Inside a transaction. */
export function dropUnusedDocuments(database: Database, ids: readonly number[]): void {
  for (const id of new Set(ids)) {
    database.run(
      `DELETE FROM documents WHERE id = ?1
       AND NOT EXISTS (SELECT 1 FROM applied WHERE plan = ?1)
       AND NOT EXISTS (SELECT 1 FROM applied WHERE inputs = ?1)`,
      id,
    );
  }
}

/** Compresses a JSON text. */
export function pack(text: string): Uint8Array {
  return zstdCompressSync(text);
}

/** The JSON value of a packed text. */
export function unpack(body: Uint8Array): unknown {
  return JSON.parse(zstdDecompressSync(body).toString('utf8'));
}
