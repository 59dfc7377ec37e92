/**
 * Events as JSON, one a line, for programs.
 * Invariant: each line is one whole event that reads back equal; characters that could steer a terminal are JSON escapes.
 * Never fails when the reader is gone: it goes quiet and says so once.
 */

import type { Writable } from 'node:stream';
import type { EventSink } from '../base/event.ts';
import { escapeJson } from './escape.ts';

/** A sink that writes lines to a stream; `onBroken` is told once when nobody reads any more. */
export function createJsonSink(stream: Writable, onBroken: (error: Error) => void = () => {}): EventSink {
  let open = true;
  stream.on('error', (error) => {
    if (!open) return;
    open = false;
    onBroken(error);
  });
  return (event) => {
    if (!open || stream.destroyed) return;
    stream.write(`${escapeJson(JSON.stringify(event))}\n`);
  };
}
