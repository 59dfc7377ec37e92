/**
 * Messages to frames and back: JSON, deflated when that is worth it, validated by the schema of the direction.
 * Invariant: nothing that failed validation leaves here; inflating is bounded by the frame limit.
 * No I/O; never trusts a peer's text.
 */

import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { encodeFrame, type Frame, frameLimit, frameTypes } from './frame.ts';
import { refusal } from './problem-codes.ts';
import type * as z from './schema.ts';

/** Shorter messages are not worth deflating. */
const deflateFrom = 512;

/** The bytes of a message. Throws protocol.frame-too-large for what the peer would refuse once inflated. */
export function encodeMessage(message: object): Buffer[] {
  const text = Buffer.from(JSON.stringify(message));
  if (text.length >= frameLimit) throw refusal('protocol.frame-too-large', `${text.length} bytes to send`);
  if (text.length < deflateFrom) return encodeFrame(frameTypes.message, text);
  return encodeFrame(frameTypes.deflated, deflateRawSync(text, { level: 6 }));
}

/** The message in a frame. Throws a ProblemError: protocol.bad-frame or protocol.bad-message, with the path of what is wrong. */
export function decodeMessage<T>(frame: Frame, schema: z.Schema<T>): T {
  const parsed = schema.safeParse(parse(frame));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const place = issue?.path.join('.') ?? '';
  throw refusal('protocol.bad-message', `at ${place || 'the top'}: ${issue?.message ?? 'invalid'}`);
}

function parse(frame: Frame): unknown {
  try {
    const text =
      frame.type === frameTypes.deflated
        ? inflateRawSync(frame.body, { maxOutputLength: frameLimit })
        : frame.body;
    return JSON.parse(text.toString());
  } catch (error) {
    throw refusal('protocol.bad-frame', `not JSON: ${(error as Error).message.slice(0, 200)}`);
  }
}
