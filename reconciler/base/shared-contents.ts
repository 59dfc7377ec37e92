/**
 * One reader of a content for all who read it at the same time, with the last pieces at hand.
 * Invariant: a piece is read once while readers are near each other; what is kept is bounded, however far they are apart.
 * Never keeps a content open that nobody reads.
 */

import type { ContentReader, ContentStore } from './content.ts';

/** Pieces kept, of all contents together: with pieces of 256 KiB, 16 MiB. */
const keptPieces = 64;

interface Shared {
  readonly opened: Promise<ContentReader | undefined>;
  users: number;
}

export class SharedContents implements ContentStore {
  readonly #store: ContentStore;
  readonly #open = new Map<string, Shared>();
  readonly #pieces = new Map<string, Promise<Buffer>>();

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
      read: (offset, count) => this.#piece(reader, `${sha256} ${offset} ${count}`, { offset, count }),
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
    for (const key of this.#pieces.keys()) if (key.startsWith(sha256)) this.#pieces.delete(key);
    const reader = await shared.opened.catch(() => undefined);
    await reader?.close();
  }

  #piece(
    reader: ContentReader,
    key: string,
    { offset, count }: { readonly offset: number; readonly count: number },
  ): Promise<Buffer> {
    const kept = this.#pieces.get(key);
    if (kept !== undefined) return kept;
    const piece = reader.read(offset, count);
    this.#pieces.set(key, piece);
    piece.catch(() => this.#pieces.delete(key));
    for (const oldest of this.#pieces.keys()) {
      if (this.#pieces.size <= keptPieces) break;
      this.#pieces.delete(oldest);
    }
    return piece;
  }
}
