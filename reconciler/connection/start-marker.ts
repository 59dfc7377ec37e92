/**
 * Reads a stream up to the loader's first word and leaves the rest for whoever comes next.
 * Invariant: at most 64 KiB of noise is kept; not a byte after the word's line is lost.
 * Never interprets the noise.
 */

import type { Readable } from 'node:stream';
import type { Exit } from './line.ts';
import { type StartWord, startWords } from './loader.ts';

/** How the wait ended; `text` is the noise, shortened for a person. */
export type Start =
  | { readonly name: 'word'; readonly word: StartWord; readonly rest: string }
  | { readonly name: 'noise'; readonly text: string }
  | { readonly name: 'late'; readonly text: string }
  | { readonly name: 'cancelled' }
  | { readonly name: 'exited'; readonly exit: Exit; readonly text: string };

export interface MarkerWait {
  /** Milliseconds. */
  readonly deadline: number;
  readonly signal?: AbortSignal | undefined;
  readonly exited: Promise<Exit>;
}

/** Most bytes before the word. */
export const noiseLimit = 64 * 1024;
/** Bytes of a word's own line. */
const lineLimit = 256;

/** Waits for `marker word rest\n`. What follows is put back into the stream. */
export function waitForMarker(stream: Readable, marker: string, wait: MarkerWait): Promise<Start> {
  const { promise, resolve } = Promise.withResolvers<Start>();
  let kept: Buffer = Buffer.alloc(0);
  let done = false;
  const finish = (start: Start): void => {
    if (done) return;
    done = true;
    clearTimeout(timer);
    wait.signal?.removeEventListener('abort', cancel);
    stream.off('readable', read);
    resolve(start);
  };
  const cancel = (): void => finish({ name: 'cancelled' });
  const timer = setTimeout(() => finish({ name: 'late', text: shorten(kept) }), wait.deadline);
  const read = (): void => {
    while (!done) {
      const bytes = stream.read() as Buffer | null;
      if (bytes === null) return;
      kept = Buffer.concat([kept, bytes]);
      const found = findWord(kept, marker);
      if (found !== undefined && found.end < kept.length) stream.unshift(kept.subarray(found.end));
      if (found !== undefined) finish(found.start);
      else if (kept.length > noiseLimit + lineLimit) finish({ name: 'noise', text: shorten(kept) });
    }
  };
  wait.signal?.addEventListener('abort', cancel);
  if (wait.signal?.aborted) cancel();
  else stream.on('readable', read);
  void wait.exited.then((exit) => {
    read();
    finish({ name: 'exited', exit, text: shorten(kept) });
  });
  return promise;
}

function findWord(
  bytes: Buffer,
  marker: string,
): { readonly start: Start; readonly end: number } | undefined {
  const at = bytes.indexOf(`${marker} `);
  if (at === -1) return undefined;
  const newline = bytes.indexOf(10, at);
  if (newline === -1) return undefined;
  const [word, ...rest] = bytes
    .toString('utf8', at + marker.length + 1, newline)
    .trim()
    .split(' ');
  const known = startWords.find((candidate) => candidate === word);
  if (known === undefined) return undefined;
  return { start: { name: 'word', word: known, rest: rest.join(' ') }, end: newline + 1 };
}

function shorten(noise: Buffer): string {
  return noise.toString('utf8', 0, 2000).trim();
}
