/**
 * One reader of a content for all who read it at the same time, with the last blocks at hand.
 * Invariant: a block is read once while readers are near each other; what is kept is bounded, however far they are apart; the
 * memory of a block is used again only when nobody holds bytes of it.
 * Never keeps a content open that nobody reads.
 */

import type { ContentReader, ContentStore } from './content.ts';
import { freeBytes } from './off-heap.ts';

/** A content is read in blocks of this many bytes, whatever pieces are asked for, and one block ahead. */
const blockBytes = 1024 * 1024;
/** Blocks kept, of all contents together, besides those of which readers hold bytes. */
const keptBlocks = 8;

interface Shared {
  readonly opened: Promise<ContentReader | undefined>;
  users: number;
}

interface Block {
  readonly bytes: Promise<Buffer>;
  /** What it was read into. */
  readonly room: Buffer;
  /** Who has bytes of it, or is filling it. */
  users: number;
  isKept: boolean;
}

/** One who reads, with the block whose bytes it was given last. */
interface Lease {
  readonly sha256: string;
  readonly reader: ContentReader;
  held: Block | undefined;
}

interface Range {
  readonly offset: number;
  readonly end: number;
}

export class SharedContents implements ContentStore {
  readonly #store: ContentStore;
  readonly #open = new Map<string, Shared>();
  /** By content and place; the least recently asked for first. */
  readonly #blocks = new Map<string, Block>();
  /** Memory of blocks that are no longer kept, for the next ones. */
  readonly #spare: Buffer[] = [];

  constructor(store: ContentStore) {
    this.#store = store;
  }

  async open(sha256: string): Promise<ContentReader | undefined> {
    const shared = this.#open.get(sha256) ?? this.#first(sha256);
    shared.users += 1;
    let lease: Lease | undefined;
    let isClosed = false;
    const close = async (): Promise<void> => {
      if (isClosed) return;
      isClosed = true;
      if (lease !== undefined) this.#giveBack(lease);
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
    const taken: Lease = { sha256, reader, held: undefined };
    lease = taken;
    const read: ContentReader['read'] = (offset, count, into) =>
      this.#read(taken, { offset, end: Math.min(offset + count, reader.size) }, into);
    return { size: reader.size, read, close };
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
    for (const key of this.#blocks.keys()) if (key.startsWith(sha256)) this.#drop(key);
    if (this.#open.size === 0) for (const room of this.#spare.splice(0)) freeBytes(room);
    const reader = await shared.opened.catch(() => undefined);
    await reader?.close();
  }

  async #read(lease: Lease, { offset, end }: Range, into: Buffer | undefined): Promise<Buffer> {
    this.#giveBack(lease);
    const first = Math.floor(offset / blockBytes);
    const last = Math.floor(Math.max(offset, end - 1) / blockBytes);
    const room = into ?? (last > first ? Buffer.allocUnsafeSlow(end - offset) : undefined);
    let part: Buffer = Buffer.alloc(0);
    for (let index = first; index <= last; index += 1) {
      const start = index * blockBytes;
      const bytes = await this.#hold(lease, index);
      part = bytes.subarray(Math.max(0, offset - start), Math.max(0, end - start));
      if (room === undefined) continue;
      room.set(part, Math.max(0, start - offset));
      this.#giveBack(lease);
    }
    if ((last + 1) * blockBytes < lease.reader.size) this.#ahead(lease, last + 1);
    return room?.subarray(0, Math.max(0, end - offset)) ?? part;
  }

  /** The bytes of a block, held for the reader until given back. */
  async #hold(lease: Lease, index: number): Promise<Buffer> {
    const block = this.#block(lease, index);
    block.users += 1;
    lease.held = block;
    return block.bytes;
  }

  #giveBack(lease: Lease): void {
    const block = lease.held;
    lease.held = undefined;
    if (block !== undefined) this.#leave(block);
  }

  #ahead(lease: Lease, index: number): void {
    this.#block(lease, index).bytes.catch(() => {});
  }

  #block({ sha256, reader }: Lease, index: number): Block {
    const key = `${sha256} ${index}`;
    const kept = this.#blocks.get(key);
    if (kept !== undefined) {
      this.#blocks.delete(key);
      this.#blocks.set(key, kept);
      return kept;
    }
    const room = this.#spare.pop() ?? Buffer.allocUnsafeSlow(blockBytes);
    const bytes = reader.read(index * blockBytes, blockBytes, room);
    const block: Block = { bytes, room, users: 1, isKept: true };
    this.#blocks.set(key, block);
    bytes.then(
      () => this.#leave(block),
      () => {
        if (this.#blocks.get(key) === block) this.#drop(key);
        this.#leave(block);
      },
    );
    for (const oldest of this.#blocks.keys()) {
      if (this.#blocks.size <= keptBlocks) break;
      this.#drop(oldest);
    }
    return block;
  }

  #drop(key: string): void {
    const block = this.#blocks.get(key);
    this.#blocks.delete(key);
    if (block === undefined) return;
    block.isKept = false;
    this.#reuse(block);
  }

  #leave(block: Block): void {
    block.users -= 1;
    this.#reuse(block);
  }

  #reuse({ users, isKept, room }: Block): void {
    if (users > 0 || isKept) return;
    if (this.#open.size > 0 && this.#spare.length < keptBlocks) this.#spare.push(room);
    else freeBytes(room);
  }
}
