/**
 * Writes messages and chunks to an agent, counting bytes and waiting when the line is full.
 * Invariant: frames leave whole and in the order they were given; writing to a dead line does nothing.
 * Never buffers content: who sends chunks waits until each was taken.
 */

import type { Writable } from 'node:stream';
import { encodeMessage } from '../../agent/protocol/codec.ts';
import { type Chunk, encodeChunk, encodeStream, type StreamPart } from '../../agent/protocol/frame.ts';
import type { ReconcilerMessage } from '../../agent/protocol/message.ts';
import { type Result, success } from '../../agent/protocol/problem.ts';
import { freeBytes } from '../base/off-heap.ts';
import type { RemoteProcess, Supply } from './line.ts';

/** Frames up to this size are written in one piece: every write becomes an SSH packet with padding and code of its own. */
const onePacket = 32 * 1024;

const chunkOverhead = encodeChunk({ sha256: '', offset: 0, bytes: Buffer.alloc(0) }).reduce(
  (sum, { length }) => sum + length,
  0,
);

export class FrameWriter {
  readonly #out: Writable;
  readonly #process: Pick<RemoteProcess, 'supply'>;
  #sent: number;

  /** `sent` bytes went over the line before. */
  constructor(process: Pick<RemoteProcess, 'stdin' | 'supply'>, sent: number) {
    this.#process = process;
    this.#out = process.stdin;
    this.#sent = sent;
  }

  /** Bytes given to the line so far. */
  get sent(): number {
    return this.#sent;
  }

  /** More is waiting than the line takes at once. */
  get isFull(): boolean {
    return this.#out.writableNeedDrain;
  }

  message(message: ReconcilerMessage): void {
    this.#write(encodeMessage(message));
  }

  /** Resolves when the bytes of the chunk are no longer looked at, or the line is gone. */
  chunk(chunk: Chunk): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const out = this.#out;
    const done = (): void => {
      out.off('close', done);
      resolve();
    };
    out.on('close', done);
    if (!this.#write(encodeChunk(chunk), done)) done();
    return promise;
  }

  stream(part: StreamPart): void {
    this.#write(encodeStream(part));
  }

  /** Whether chunks can come into the line from a cache on the way. */
  get isSupplied(): boolean {
    return this.#process.supply !== undefined;
  }

  /** A chunk that comes from a cache on the way, in its turn. With a problem nothing of it is sent. */
  async supply(chunk: Pick<Supply, 'content' | 'offset' | 'bytes' | 'store'>): Promise<Result<void>> {
    const supplied = await this.#process.supply?.({ ...chunk, form: 'chunk' });
    if (supplied?.ok) this.#sent += chunkOverhead + chunk.bytes;
    return supplied ?? success(undefined);
  }

  /** Resolves when the line takes more, or is gone. */
  ready(): Promise<void> {
    const out = this.#out;
    if (!out.writableNeedDrain || out.destroyed || out.writableEnded) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const done = (): void => {
      out.off('drain', done);
      out.off('close', done);
      resolve();
    };
    out.on('drain', done);
    out.on('close', done);
    return promise;
  }

  /** False when the line is gone; otherwise `taken` is called when the last byte was. */
  #write(parts: readonly Buffer[], taken?: () => void): boolean {
    const out = this.#out;
    if (out.destroyed || out.writableEnded) return false;
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    this.#sent += size;
    const { head, rest } = inPackets(parts, size);
    if (rest === undefined) out.write(head, taken);
    else {
      out.write(head, () => freeBytes(head));
      out.write(rest, taken);
    }
    return true;
  }
}

/** The heads of a frame share a packet with the beginning of its body: a few bytes of their own would cost as much as a full one. */
function inPackets(
  parts: readonly Buffer[],
  size: number,
): { readonly head: Buffer; readonly rest?: Buffer | undefined } {
  const body = parts.at(-1);
  const room = onePacket - size + (body?.length ?? 0);
  if (size <= onePacket || body === undefined || room <= 0) return { head: Buffer.concat(parts, size) };
  return {
    head: Buffer.concat([...parts.slice(0, -1), body.subarray(0, room)], onePacket),
    rest: body.subarray(room),
  };
}
