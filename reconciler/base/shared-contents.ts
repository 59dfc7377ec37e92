/**
 * One reader of a content for all who read it at the same time, with the last blocks at hand.
 * Invariant: a block is read once while readers are near each other; what is kept is bounded, however far they are apart.
 * Never keeps a content open that nobody reads.
 */

import type { ContentReader, ContentStore } from './content.ts';

/** A content is read in blocks of this many bytes, whatever pieces are asked for, and one block ahead. */
const blockBytes = 1024 * 1024;
/** Blocks kept, of all contents together. */
const keptBlocks = 8;

interface Shared {
  readonly opened: Promise<ContentReader | undefined>;
  users: number;
}

export class SharedContents implements ContentStore {
  readonly #store: ContentStore;
  readonly #open = new Map<string, Shared>();
  /** By content and place; the least recently asked for first. */
  readonly #blocks = new Map<string, Promise<Buffer>>();

  constructor(store: ContentStore) {
    this.#store = store;
  }

  async open(sha256: string): Promise<ContentReader | undefined> {
    const shared = this.#open.get(sha256) ?? this.#first(sha256);
    shared.users += 1;
    let isClosed = false;
    const close = async (): Promise<void> => {
      if (isClosed) return;
      isClosed = true;
      await this.#release(sha256, shared);
    };
    const reader = await shared.opened.catch(async (error: unknown) => {
      await close();
      throw error;
    });
    if (reader === undefined) {
      await close();
      return undefined;
    }
    return {
      size: reader.size,
      read: (offset, count) => this.#read(sha256, reader, { offset, count }),
      close,
    };
  }

  #first(sha256: string): Shared {
    const shared: Shared = { opened: this.#store.open(sha256), users: 0 };
    this.#open.set(sha256, shared);
    return shared;
  }

  async #release(sha256: string, shared: Shared): Promise<void> {
    shared.users -= 1;
    if (shared.users > 0) return;
    if (this.#open.get(sha256) === shared) this.#open.delete(sha256);
    for (const key of this.#blocks.keys()) if (key.startsWith(sha256)) this.#blocks.delete(key);
    const reader = await shared.opened.catch(() => undefined);
    await reader?.close();
  }

  async #read(
    sha256: string,
    reader: ContentReader,
    { offset, count }: { readonly offset: number; readonly count: number },
  ): Promise<Buffer> {
    const end = Math.min(offset + count, reader.size);
    const first = Math.floor(offset / blockBytes);
    const last = Math.floor(Math.max(offset, end - 1) / blockBytes);
    const parts: Buffer[] = [];
    for (let index = first; index <= last; index += 1) {
      const block = await this.#block(sha256, reader, index);
      const start = index * blockBytes;
      parts.push(block.subarray(Math.max(0, offset - start), Math.max(0, end - start)));
    }
    if ((last + 1) * blockBytes < reader.size) this.#block(sha256, reader, last + 1).catch(() => {});
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
  }

  #block(sha256: string, reader: ContentReader, index: number): Promise<Buffer> {
    const key = `${sha256} ${index}`;
    const kept = this.#blocks.get(key);
    const block = kept ?? reader.read(index * blockBytes, blockBytes);
    this.#blocks.delete(key);
    this.#blocks.set(key, block);
    if (kept !== undefined) return kept;
    block.catch(() => this.#blocks.delete(key));
    for (const oldest of this.#blocks.keys()) {
      if (this.#blocks.size <= keptBlocks) break;
      this.#blocks.delete(oldest);
    }
    return block;
  }
}
