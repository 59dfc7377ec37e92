/**
 * Contents kept for programs that are fed from here: each fetched once, however many want it.
 * Invariant: nothing is given out before the whole has its hash; a file has no name that anybody could open, so it is gone with
 * the process; files and bytes kept are bounded.
 * Never asks for a content that is here already.
 */

import type { FileHandle } from 'node:fs/promises';
import type { Content } from './protocol/blob.ts';
import { refusal } from './protocol/problem-codes.ts';
import { mkdtemp, open, rm } from './system/platform.ts';
import { type Replacement, writeContent } from './system/replace-file.ts';

const filesLimit = 100;
const bytesLimit = 2 ** 30;

/** Gives bytes of a content that is here. */
export type ReadRange = (offset: number, count: number) => Promise<Buffer>;

interface Stored {
  readonly file: Promise<Pick<FileHandle, 'read' | 'close'>>;
  readonly size: number;
  users: number;
}

export class ContentCache {
  readonly #fetch: (content: Content) => Promise<Replacement['source']>;
  /** Those used last at the end. */
  readonly #stored = new Map<string, Stored>();

  readonly #lanes: Record<string, Promise<unknown>> = {};

  constructor(fetch: (content: Content) => Promise<Replacement['source']>) {
    this.#fetch = fetch;
  }

  /** Lends a content to `use`. Throws a ProblemError when it cannot be had whole. */
  async lend(content: Content, use: (read: ReadRange) => Promise<void>): Promise<void> {
    const stored = this.#take(content);
    stored.users += 1;
    try {
      const file = await stored.file;
      await use(async (offset, count) => {
        const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(count), 0, count, offset);
        return buffer.subarray(0, bytesRead);
      });
    } finally {
      stored.users -= 1;
    }
  }

  #take(content: Content): Stored {
    const { sha256, size } = content;
    const known = this.#stored.get(sha256);
    this.#stored.delete(sha256);
    if (!known && !this.#makeRoom(size))
      throw refusal('blob.refused', `no room for the ${size} bytes of content ${sha256.slice(0, 12)}…`);
    const stored = known ?? { file: this.#inLane(content), size, users: 0 };
    this.#stored.set(sha256, stored);
    stored.file.catch(() => this.#stored.delete(sha256));
    return stored;
  }

  /** One after the other by the first digit of their names, so that sixteen at most are pulled at once. */
  #inLane(content: Content): Promise<FileHandle> {
    const lane = content.sha256.charAt(0);
    const file = (this.#lanes[lane] ?? Promise.resolve()).then(() => this.#keep(content));
    this.#lanes[lane] = file.catch(() => {});
    return file;
  }

  async #keep(content: Content): Promise<FileHandle> {
    const file = await namelessFile();
    try {
      await writeContent(file, { source: await this.#fetch(content), expected: content });
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Lets go of what was used longest ago until so many more bytes have room; false when they have none. */
  #makeRoom(more: number): boolean {
    let bytes = more;
    for (const { size } of this.#stored.values()) bytes += size;
    for (const [sha256, { file, size, users }] of this.#stored) {
      if (bytes <= bytesLimit && this.#stored.size < filesLimit) break;
      if (users > 0) continue;
      this.#stored.delete(sha256);
      bytes -= size;
      void file.then((handle) => handle.close());
    }
    return bytes <= bytesLimit && this.#stored.size < filesLimit;
  }
}

async function namelessFile(): Promise<FileHandle> {
  const directory = await mkdtemp('/var/tmp/towline-').catch(() => mkdtemp('/tmp/towline-'));
  try {
    return await open(`${directory}/content`, 'wx+', 0o600);
  } finally {
    await rm(directory, { recursive: true });
  }
}
