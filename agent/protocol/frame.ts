/**
 * Frames: 4 bytes length (big endian, of what follows), 1 byte type, body. The decoder survives any split of the stream.
 * Invariant: a length is checked before a byte of the body is kept; a frame over the limit ends the stream.
 * Pure: bytes in, frames out. docs/protocol.md describes the same bytes.
 */

import { refusal } from './problem-codes.ts';

export const frameTypes = {
  /** A message as UTF-8 JSON. */
  message: 1,
  /** A message as raw-deflated UTF-8 JSON. */
  deflated: 2,
  /** Content: 32 bytes SHA-256 of the whole, 6 bytes offset (big endian), bytes. */
  chunk: 3,
  /** Bytes of a program's stream: 4 bytes id (big endian), 1 byte channel, bytes. */
  stream: 4,
} as const;
export type FrameType = (typeof frameTypes)[keyof typeof frameTypes];

export interface Frame {
  readonly type: FrameType;
  readonly body: Buffer;
}

/** Most bytes of type and body in one frame. */
export const frameLimit = 16 * 1024 * 1024;
const headerSize = 4;
const chunkHeaderSize = 38;
const joinBelow = 64 * 1024;

/** The bytes of one frame, as the parts to write. */
export function encodeFrame(type: FrameType, ...body: readonly Buffer[]): Buffer[] {
  const length = 1 + body.reduce((sum, part) => sum + part.length, 0);
  if (length > frameLimit) throw refusal('protocol.frame-too-large', `${length} bytes to send`);
  const head = Buffer.alloc(headerSize + 1);
  head.writeUInt32BE(length);
  head[headerSize] = type;
  return [head, ...body];
}

export interface Chunk {
  readonly sha256: string;
  readonly offset: number;
  readonly bytes: Buffer;
}

/** The bytes of one chunk frame. */
export function encodeChunk(chunk: Chunk): Buffer[] {
  const head = Buffer.alloc(chunkHeaderSize);
  head.write(chunk.sha256, 'hex');
  head.writeUIntBE(chunk.offset, 32, 6);
  return encodeFrame(frameTypes.chunk, head, chunk.bytes);
}

/** The chunk in the body of a chunk frame. Throws `protocol.bad-frame` when it is too short. */
export function decodeChunk(body: Buffer): Chunk {
  if (body.length < chunkHeaderSize) throw refusal('protocol.bad-frame', 'chunk without header');
  return {
    sha256: body.toString('hex', 0, 32),
    offset: body.readUIntBE(32, 6),
    bytes: body.subarray(chunkHeaderSize),
  };
}

/** The streams of a program, by the byte that names them. */
export const streamChannels = { stdin: 0, stdout: 1, stderr: 2 } as const;
export type OutputChannel = 1 | 2;
/** Bytes that may be under way on each stream of a program; what was consumed is granted again. */
export const streamWindow = 256 * 1024;
const streamHeaderSize = 5;

export interface StreamPart {
  /** Of the message that opened the program. */
  readonly id: number;
  readonly channel: number;
  readonly bytes: Buffer;
}

/** The bytes of one stream frame. */
export function encodeStream({ id, channel, bytes }: StreamPart): Buffer[] {
  const head = Buffer.alloc(streamHeaderSize);
  head.writeUInt32BE(id);
  head[streamHeaderSize - 1] = channel;
  return encodeFrame(frameTypes.stream, head, bytes);
}

/** The part in the body of a stream frame. Throws `protocol.bad-frame` when it is too short. */
export function decodeStream(body: Buffer): StreamPart {
  if (body.length < streamHeaderSize) throw refusal('protocol.bad-frame', 'stream bytes without header');
  return {
    id: body.readUInt32BE(),
    channel: body[streamHeaderSize - 1] as number,
    bytes: body.subarray(streamHeaderSize),
  };
}

/** Collects bytes and gives whole frames. Throws a ProblemError once the stream is no longer frames. */
export class FrameDecoder {
  readonly #limit: number;
  #parts: Buffer[] = [];
  #held = 0;

  constructor(limit: number = frameLimit) {
    this.#limit = limit;
  }

  /** Bytes kept until their frame is whole. */
  get buffered(): number {
    return this.#held;
  }

  *push(bytes: Buffer): Generator<Frame> {
    this.#hold(bytes);
    for (;;) {
      if (this.#held < headerSize + 1) return;
      const head = this.#peek(headerSize + 1);
      const length = head.readUInt32BE();
      this.#verify(length, head[headerSize] ?? 0);
      if (this.#held < headerSize + length) return;
      const frame = this.#take(headerSize + length);
      yield { type: frame[headerSize] as FrameType, body: frame.subarray(headerSize + 1) };
    }
  }

  /** Small parts are joined with their like, so that a peer that sends byte by byte costs no more than its bytes. */
  #hold(bytes: Buffer): void {
    this.#held += bytes.length;
    let last = bytes;
    while (last.length < joinBelow && (this.#parts.at(-1)?.length ?? joinBelow) <= last.length) {
      last = Buffer.concat([this.#parts.pop() as Buffer, last]);
    }
    this.#parts.push(last);
  }

  #verify(length: number, type: number): void {
    if (length > this.#limit) {
      throw refusal('protocol.frame-too-large', `a frame of ${length} bytes was announced`);
    }
    if (length < 1 || type < frameTypes.message || type > frameTypes.stream) {
      throw refusal('protocol.bad-frame', `no frame of type ${type} and length ${length} exists`);
    }
  }

  #peek(count: number): Buffer {
    const first = this.#parts[0];
    if (first && first.length >= count) return first;
    this.#parts = [Buffer.concat(this.#parts)];
    return this.#parts[0] as Buffer;
  }

  #take(count: number): Buffer {
    const frame = this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts, count);
    this.#held -= count;
    // What follows the frame is the end of the last part.
    this.#parts = this.#held > 0 ? [(this.#parts.at(-1) as Buffer).subarray(-this.#held)] : [];
    return frame.subarray(0, count);
  }
}
