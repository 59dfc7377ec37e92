/**
 * JSON that many rows share, held once by the SHA-256 of its text, compressed where that is worth it.
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

/** Reads documents, each once: hosts share most of them. What it gives must not be changed. */
export function createDocumentReader(database: Database): (id: number) => unknown {
  const known = new Map<number, unknown>();
  return (id) => {
    const held = known.get(id);
    if (held !== undefined) return held;
    const row = database.get<{ body: Uint8Array }>('SELECT body FROM documents WHERE id = ?', id);
    const value = unpack((row as { body: Uint8Array }).body);
    known.set(id, value);
    return value;
  };
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

/** Shorter texts stay as they are: setting a compressor up costs fifty times what it would save. */
const compressedFrom = 2048;
/** First byte of a compressed text (RFC 8878); no JSON text begins with it. */
const compressedMark = 0x28;

/** Makes a JSON text small where that is worth it. */
export function pack(text: string): Uint8Array {
  return text.length < compressedFrom ? Buffer.from(text) : zstdCompressSync(text);
}

/** The JSON value of a packed text. */
export function unpack(body: Uint8Array): unknown {
  const bytes =
    body[0] === compressedMark
      ? zstdDecompressSync(body)
      : Buffer.from(body.buffer, body.byteOffset, body.length);
  return JSON.parse(bytes.toString('utf8'));
}
