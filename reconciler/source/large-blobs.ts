/**
 * Blobs too large to be held: inflated once into a file without a name, read from there by all who want them.
 * Invariant: the file loses its name before its first byte, so nothing is left behind however this process ends; a file that
 * nobody reads is let go after a while.
 * Never decides what is large.
 */

import { mkdirSync } from 'node:fs';
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ProblemError } from '../../agent/protocol/problem.ts';
import type { ContentReader } from '../base/content.ts';
import { sourceProblem } from '../base/problem-codes/source.ts';
import { readPiece, roomFor } from './large-file.ts';
import { inflateLooseBlob, looseBlobSize } from './loose-object.ts';
import type { SystemGit } from './system-git.ts';

/** Milliseconds a file is kept for the next reader: a plan is made, then sent, then sent to the next wave. */
const keepMilliseconds = 60_000;

export interface LargeBlobsOptions {
  readonly gitDirectory: string;
  /** Where the files without a name take their room. */
  readonly scratch: string;
  readonly git: SystemGit;
  /** The bytes at once, where nothing better is there. */
  readonly readBlob: (id: string) => Promise<Buffer>;
}

interface Spilled {
  readonly file: Promise<FileHandle>;
  users: number;
  idle: NodeJS.Timeout | undefined;
}

export class LargeBlobs {
  readonly #options: LargeBlobsOptions;
  readonly #spilled = new Map<string, Spilled>();

  constructor(options: LargeBlobsOptions) {
    this.#options = options;
  }

  /** The size of a blob, where it can be known without reading it. */
  async sizeOf(id: string): Promise<number | undefined> {
    return (await looseBlobSize(this.#options.gitDirectory, id)) ?? this.#options.git.sizeOf(id);
  }

  /** A reader of a blob of this size. */
  async open(id: string, size: number): Promise<ContentReader> {
    const spilled = this.#spilled.get(id) ?? this.#begin(id, size);
    spilled.users += 1;
    clearTimeout(spilled.idle);
    let isClosed = false;
    const leave = async (): Promise<void> => {
      if (isClosed) return;
      isClosed = true;
      spilled.users -= 1;
      if (spilled.users === 0) spilled.idle = setTimeout(() => void this.#drop(id), keepMilliseconds).unref();
    };
    const file = await spilled.file;
    return {
      size,
      async read(offset, count, into) {
        const piece = await readPiece(file, offset, roomFor(Math.min(count, size - offset), into));
        if (piece === undefined) throw noSpace(`blob ${id.slice(0, 12)} was cut short`);
        return piece;
      },
      close: leave,
    };
  }

  /** Lets every file go. */
  async close(): Promise<void> {
    await Promise.all([...this.#spilled.keys()].map((id) => this.#drop(id)));
  }

  #begin(id: string, size: number): Spilled {
    const spilled: Spilled = { file: this.#spill(id, size), users: 0, idle: undefined };
    this.#spilled.set(id, spilled);
    spilled.file.catch(() => this.#spilled.delete(id));
    return spilled;
  }

  async #drop(id: string): Promise<void> {
    const spilled = this.#spilled.get(id);
    clearTimeout(spilled?.idle);
    this.#spilled.delete(id);
    const file = await spilled?.file.catch(() => undefined);
    await file?.close();
  }

  async #spill(id: string, size: number): Promise<FileHandle> {
    const file = await namelessFile(this.#options.scratch);
    try {
      await this.#fill(id, file);
      const written = (await file.stat()).size;
      if (written !== size)
        throw noSpace(`${written} of ${size} bytes of blob ${id.slice(0, 12)} were written`);
      return file;
    } catch (error) {
      await file.close();
      if (error instanceof Error && 'code' in error) throw noSpace(error.message);
      throw error;
    }
  }

  async #fill(id: string, file: FileHandle): Promise<void> {
    const { gitDirectory, git, readBlob } = this.#options;
    if ((await looseBlobSize(gitDirectory, id)) !== undefined) {
      return inflateLooseBlob(gitDirectory, id, (piece) => file.writeFile(piece));
    }
    if (await git.writeBlob(id, file.fd)) return;
    await file.truncate(0);
    await file.writeFile(await readBlob(id));
  }
}

async function namelessFile(scratch: string): Promise<FileHandle> {
  try {
    mkdirSync(scratch, { recursive: true, mode: 0o700 });
    const folder = await mkdtemp(join(scratch, 'content-'));
    try {
      return await open(join(folder, 'bytes'), 'wx+', 0o600);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  } catch (error) {
    throw noSpace(error instanceof Error ? error.message : String(error));
  }
}

function noSpace(message: string): ProblemError {
  return new ProblemError(sourceProblem('source.no-space', message));
}
