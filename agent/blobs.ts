/**
 * Content by hash in the agent: what came inline, what is pulled, what is kept for a while.
 * Invariant: bytes are handed out only whole and with their hash verified by whoever consumes them as a stream, or here when kept;
 * memory held is bounded; a pull that is refused or whose line is lost fails, it never hangs.
 * Never touches a file.
 */

import { type Deferred, deferred } from './deferred.ts';
import { type Content, chunkSize, inlineLimit, sha256Of } from './protocol/blob.ts';
import type { Chunk } from './protocol/frame.ts';
import { type Problem, ProblemError } from './protocol/problem.ts';
import { refusal } from './protocol/problem-codes.ts';

/** Kept beyond the converge call they came with. */
const keptBytesLimit = 16 * 1024 * 1024;
/** Chunks asked for ahead of the one being written; together what an SSH channel lets be under way. */
const window = 4;

interface Pull {
  readonly content: Content;
  readonly arrived: Buffer[];
  received: number;
  asked: number;
  wake: () => void;
  readonly ended: Deferred<void>;
  problem?: ProblemError;
}

export class Blobs {
  readonly #need: (sha256: string, offset: number, bytes: number) => void;
  readonly #kept = new Map<string, Buffer>();
  #keptBytes = 0;
  readonly #expected = new Map<string, Deferred<Buffer>>();
  readonly #pulls = new Map<string, Pull>();
  #lost: ProblemError | undefined;

  /** `need` asks the reconciler for a range of a content. */
  constructor(need: (sha256: string, offset: number, bytes: number) => void) {
    this.#need = need;
  }

  /** Announces contents that follow inline. */
  expect(hashes: readonly string[]): void {
    for (const sha256 of hashes) {
      if (this.#expected.has(sha256) || this.#kept.has(sha256)) continue;
      this.#expected.set(sha256, deferred());
    }
  }

  /** Takes a chunk off the line. */
  chunk(chunk: Chunk): void {
    const expected = this.#expected.get(chunk.sha256);
    if (expected) {
      this.#expected.delete(chunk.sha256);
      const bytes = Buffer.from(chunk.bytes);
      if (sha256Of(bytes) !== chunk.sha256) expected.reject(corrupt(chunk.sha256));
      else {
        this.#keep(chunk.sha256, bytes);
        expected.resolve(bytes);
      }
    }
    const pull = this.#pulls.get(chunk.sha256);
    if (!pull || chunk.offset !== pull.received) return;
    const size = Math.min(chunkSize, pull.content.size - pull.received);
    if (chunk.bytes.length !== size) pull.problem = corrupt(chunk.sha256);
    pull.received += size;
    pull.arrived.push(chunk.bytes);
    pull.wake();
  }

  /** The reconciler will not send this content. */
  refuse(sha256: string, problem: Problem): void {
    this.#expected.get(sha256)?.reject(new ProblemError(problem));
    this.#expected.delete(sha256);
    const pull = this.#pulls.get(sha256);
    if (!pull) return;
    pull.problem = new ProblemError(problem);
    pull.wake();
  }

  /** The line is gone: everything awaited now or later fails with this. */
  lost(problem: Problem): void {
    this.#lost = new ProblemError(problem);
    for (const sha256 of [...this.#expected.keys(), ...this.#pulls.keys()]) this.refuse(sha256, problem);
  }

  /** Waits until those of them that were announced are in memory, so that a first look can show differences. */
  async inHand(contents: readonly Content[]): Promise<void> {
    await Promise.allSettled(contents.map(({ sha256 }) => this.#expected.get(sha256)?.promise));
  }

  /** Content already in memory. */
  held(content: Content): Buffer | undefined {
    return this.#kept.get(content.sha256);
  }

  /** The bytes, from memory or pulled as they are consumed. The consumer verifies the hash of the whole. */
  async open(content: Content): Promise<AsyncIterable<Buffer>> {
    const here = await this.#here(content);
    if (!here && content.size > inlineLimit) return this.#pull(content);
    return single(here ?? (await this.whole(content)));
  }

  /** All of a content at once, whatever its size, kept in memory as the newest. */
  async whole(content: Content): Promise<Buffer> {
    const here = await this.#here(content);
    if (here) return here;
    const parts: Buffer[] = [];
    for await (const part of this.#pull(content)) parts.push(part);
    const whole = Buffer.concat(parts);
    if (sha256Of(whole) !== content.sha256) throw corrupt(content.sha256);
    this.#keep(content.sha256, whole);
    return whole;
  }

  async #here({ sha256 }: Content): Promise<Buffer | undefined> {
    return (await this.#expected.get(sha256)?.promise) ?? this.#kept.get(sha256);
  }

  async *#pull(content: Content): AsyncGenerator<Buffer> {
    const { sha256 } = content;
    // One at a time of each content: chunks tell no more than what they are of.
    while (this.#pulls.has(sha256)) await this.#pulls.get(sha256)?.ended.promise;
    const ended = deferred<void>();
    const pull: Pull = { content, arrived: [], received: 0, asked: 0, wake: () => {}, ended };
    this.#pulls.set(sha256, pull);
    try {
      let handed = 0;
      while (handed < content.size) {
        const problem = pull.problem ?? this.#lost;
        if (problem) throw problem;
        this.#ask(pull, handed);
        const part = pull.arrived.shift();
        if (part) {
          handed += part.length;
          yield part;
          continue;
        }
        await new Promise<void>((resolve) => {
          pull.wake = resolve;
        });
      }
    } finally {
      this.#pulls.delete(sha256);
      ended.resolve();
    }
  }

  #ask(pull: Pull, handed: number): void {
    while (pull.asked < pull.content.size && pull.asked - handed < window * chunkSize) {
      const bytes = Math.min(chunkSize, pull.content.size - pull.asked);
      this.#need(pull.content.sha256, pull.asked, bytes);
      pull.asked += bytes;
    }
  }

  #keep(sha256: string, bytes: Buffer): void {
    this.#keptBytes += bytes.length - (this.#kept.get(sha256)?.length ?? 0);
    this.#kept.set(sha256, bytes);
    for (const [oldest, old] of this.#kept) {
      if (this.#keptBytes <= keptBytesLimit || oldest === sha256) break;
      this.#kept.delete(oldest);
      this.#keptBytes -= old.length;
    }
  }
}

async function* single(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

function corrupt(sha256: string): ProblemError {
  return refusal('blob.corrupt', `content ${sha256.slice(0, 12)}… arrived with another hash`);
}
