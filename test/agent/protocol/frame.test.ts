/**
 * Frames over any split of the stream, and the end of a stream that is none.
 * Invariant: splits and bytes are generated; the decoder is the one both sides use.
 * Never a timing assertion.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeChunk,
  encodeChunk,
  encodeFrame,
  type Frame,
  FrameDecoder,
  frameLimit,
  frameTypes,
} from '../../../agent/protocol/frame.ts';
import { thrownCode } from './thrown-code.ts';

const types = Object.values(frameTypes);
const frames = fc.array(
  fc.record({
    type: fc.constantFrom(...types),
    body: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  }),
  { maxLength: 12 },
);

function decodeAll(decoder: FrameDecoder, parts: readonly Buffer[]): Frame[] {
  return parts.flatMap((part) =>
    [...decoder.push(part)].map(({ type, body }) => ({ type, body: Buffer.from(body) })),
  );
}

/** Cuts bytes at the given places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...ends].map((start, index) => bytes.subarray(start, ends[index] ?? bytes.length));
}

describe('frames', () => {
  it('survive any split of the stream', () => {
    fc.assert(
      fc.property(frames, fc.array(fc.nat(), { maxLength: 40 }), (sent, places) => {
        const bytes = Buffer.concat(sent.flatMap(({ type, body }) => encodeFrame(type, body)));
        const decoder = new FrameDecoder();
        expect(decodeAll(decoder, cut(bytes, places))).toEqual(sent);
        expect(decoder.buffered).toBe(0);
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  it('come whole when they are sent byte by byte', () => {
    const body = Buffer.alloc(70_000, 'x');
    const bytes = Buffer.concat(encodeFrame(frameTypes.message, body));
    const got = decodeAll(
      new FrameDecoder(),
      [...bytes].map((byte) => Buffer.from([byte])),
    );
    expect(got.length).toBe(1);
    expect(got[0]?.body.equals(body)).toBe(true);
  });

  it('hold chunks as they were sent, whatever the offset', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.integer({ min: 0, max: 2 ** 48 - 1 }),
        fc.uint8Array({ maxLength: 100 }),
        (hash, offset, content) => {
          const chunk = { sha256: Buffer.from(hash).toString('hex'), offset, bytes: Buffer.from(content) };
          const [frame] = decodeAll(new FrameDecoder(), encodeChunk(chunk));
          expect(decodeChunk(frame?.body ?? Buffer.alloc(0))).toEqual(chunk);
        },
      ),
      { seed: 2 },
    );
  });

  it('over the limit end the stream before a byte of the body is kept', () => {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(frameLimit + 1);
    head[4] = frameTypes.message;
    expect(thrownCode(() => [...new FrameDecoder().push(head)])).toBe('protocol.frame-too-large');
    expect(thrownCode(() => encodeFrame(frameTypes.message, Buffer.alloc(frameLimit)))).toBe(
      'protocol.frame-too-large',
    );
    expect(thrownCode(() => [...new FrameDecoder(10).push(Buffer.from([0, 0, 0, 11, 1]))])).toBe(
      'protocol.frame-too-large',
    );
  });

  it.each([
    ['of no type that exists', [0, 0, 0, 2, 9, 0]],
    ['of type zero', [0, 0, 0, 2, 0, 0]],
    ['without even a type', [0, 0, 0, 0, 1]],
  ])('%s end the stream', (_title, bytes) => {
    expect(thrownCode(() => [...new FrameDecoder().push(Buffer.from(bytes))])).toBe('protocol.bad-frame');
  });

  it('refuse a chunk that is shorter than its header', () => {
    expect(thrownCode(() => decodeChunk(Buffer.alloc(37)))).toBe('protocol.bad-frame');
  });
});
