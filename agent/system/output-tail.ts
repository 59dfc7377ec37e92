/**
 * Keeps the end of a program's output and passes all of it on as text, whole characters only.
 * Invariant: holds at most twice `limit` bytes; a character split over two chunks is never broken.
 * Pure: bytes in, text out.
 */

import { StringDecoder } from 'node:string_decoder';

/** Bytes kept of each stream. */
export const tailLimit = 64 * 1024;

export class OutputTail {
  readonly #decoder = new StringDecoder('utf8');
  readonly #limit: number;
  #parts: Buffer[] = [];
  #held = 0;

  constructor(limit: number = tailLimit) {
    this.#limit = limit;
  }

  /** Takes a chunk; returns the whole characters it completes. */
  push(chunk: Buffer): string {
    this.#parts.push(chunk);
    this.#held += chunk.length;
    if (this.#held > 2 * this.#limit) this.#keep(Buffer.concat(this.#parts).subarray(-this.#limit));
    return this.#decoder.write(chunk);
  }

  /** What a broken last character stands for; empty as a rule. */
  rest(): string {
    return this.#decoder.end();
  }

  /** The last bytes as text, beginning with a whole character. */
  text(): string {
    const all = Buffer.concat(this.#parts);
    if (all.length <= this.#limit) return all.toString();
    let start = all.length - this.#limit;
    while (start < all.length && ((all[start] ?? 0) & 0xc0) === 0x80) start += 1;
    return all.toString('utf8', start);
  }

  #keep(end: Buffer): void {
    this.#parts = [Buffer.from(end)];
    this.#held = end.length;
  }
}
