/**
 * Contents in the agent: inline, pulled in windows, refused, damaged, lost, and how much of them is kept.
 * Invariant: the far end is a plain store that answers what is asked, in memory.
 * Never a timing assertion.
 */

import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Blobs } from '../../agent/blobs.ts';
import { type Content, chunkSize } from '../../agent/protocol/blob.ts';
import { agentProblem } from '../../agent/protocol/problem-codes.ts';
import { codeOf } from './test-host.ts';

function contentOf(bytes: Buffer): Content {
  return { sha256: createHash('sha256').update(bytes).digest('hex'), size: bytes.length };
}

/** Blobs whose needs are answered from a map; `most` is how many bytes were ever under way at once. */
function served(store: Map<string, Buffer>) {
  const asked: { offset: number; bytes: number }[] = [];
  let underWay = 0;
  let most = 0;
  const blobs: Blobs = new Blobs((sha256, offset, bytes) => {
    asked.push({ offset, bytes });
    underWay += bytes;
    most = Math.max(most, underWay);
    setImmediate(() => {
      underWay -= bytes;
      const whole = store.get(sha256) ?? Buffer.alloc(0);
      blobs.chunk({ sha256, offset, bytes: whole.subarray(offset, offset + bytes) });
    });
  });
  return { blobs, asked, most: () => most };
}

async function read(parts: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const part of parts) all.push(part);
  return Buffer.concat(all);
}

const lost = agentProblem('agent.link-lost', 'gone');

describe('the contents of an agent', () => {
  it('hands out what came inline without asking for it', async () => {
    const bytes = Buffer.from('hello');
    const content = contentOf(bytes);
    const { blobs, asked } = served(new Map());
    blobs.expect([content.sha256]);
    const opened = blobs.open(content);
    blobs.chunk({ sha256: content.sha256, offset: 0, bytes });
    expect(await read(await opened)).toEqual(bytes);
    expect(blobs.held(content)).toEqual(bytes);
    expect(asked).toEqual([]);
  });

  it('pulls a large content in chunks, never more than a window ahead, and keeps none of it', async () => {
    const bytes = randomBytes(128 * chunkSize + 17);
    const content = contentOf(bytes);
    const { blobs, asked, most } = served(new Map([[content.sha256, bytes]]));
    const hash = createHash('sha256');
    for await (const part of await blobs.open(content)) hash.update(part);
    expect(hash.digest('hex')).toBe(content.sha256);
    expect(asked.length).toBe(129);
    expect(asked.at(-1)).toEqual({ offset: 128 * chunkSize, bytes: 17 });
    expect(most()).toBeLessThanOrEqual(4 * chunkSize);
    expect(blobs.held(content)).toBeUndefined();
  });

  it('asks for a small content once and keeps it', async () => {
    const bytes = Buffer.from('small');
    const content = contentOf(bytes);
    const { blobs, asked } = served(new Map([[content.sha256, bytes]]));
    expect(await read(await blobs.open(content))).toEqual(bytes);
    expect(await read(await blobs.open(content))).toEqual(bytes);
    expect(asked.length).toBe(1);
  });

  it('gives the whole of a content that is too large to travel inline', async () => {
    const bytes = randomBytes(3 * chunkSize + 5);
    const content = contentOf(bytes);
    const { blobs } = served(new Map([[content.sha256, bytes]]));
    expect((await blobs.whole(content)).equals(bytes)).toBe(true);
    expect(blobs.held(content)?.equals(bytes)).toBe(true);
  });

  it('forgets the oldest when it holds more than 16 MiB', async () => {
    const store = new Map<string, Buffer>();
    const contents = Array.from({ length: 100 }, () => {
      const bytes = randomBytes(chunkSize);
      const content = contentOf(bytes);
      store.set(content.sha256, bytes);
      return content;
    });
    const { blobs } = served(store);
    for (const content of contents) await blobs.whole(content);
    const kept = contents.filter((content) => blobs.held(content) !== undefined);
    expect(kept).toEqual(contents.slice(-32));
  });

  it('refuses inline bytes that have another hash', async () => {
    const content = contentOf(Buffer.from('wanted'));
    const { blobs } = served(new Map());
    blobs.expect([content.sha256]);
    const opened = blobs.open(content);
    blobs.chunk({ sha256: content.sha256, offset: 0, bytes: Buffer.from('forged') });
    expect(await codeOf(opened)).toBe('blob.corrupt');
  });

  it('refuses a small pulled content that has another hash', async () => {
    const content = contentOf(Buffer.from('wanted'));
    const { blobs } = served(new Map([[content.sha256, Buffer.from('forged')]]));
    expect(await codeOf(blobs.open(content))).toBe('blob.corrupt');
  });

  it('ends a pull whose chunk is shorter than it must be instead of waiting for the rest', async () => {
    const content = { ...contentOf(Buffer.from('x')), size: 2 * chunkSize };
    const { blobs } = served(new Map([[content.sha256, Buffer.alloc(chunkSize + 1)]]));
    expect(await codeOf(blobs.open(content).then(read))).toBe('blob.corrupt');
  });

  it('ends a pull and an announced content that the reconciler refuses', async () => {
    const pulled = { ...contentOf(Buffer.from('a')), size: 10 };
    const announced = contentOf(Buffer.from('b'));
    const blobs = new Blobs(() => {});
    blobs.expect([announced.sha256]);
    const ends = [codeOf(blobs.open(pulled)), codeOf(blobs.open(announced))];
    await new Promise(setImmediate);
    for (const { sha256 } of [pulled, announced])
      blobs.refuse(sha256, agentProblem('blob.missing', 'not here'));
    expect(await Promise.all(ends)).toEqual(['blob.missing', 'blob.missing']);
  });

  it('fails what is awaited when the line is lost, and what is asked for afterwards', async () => {
    const pulled = { ...contentOf(Buffer.from('a')), size: 10 };
    const announced = contentOf(Buffer.from('b'));
    const later = { ...contentOf(Buffer.from('c')), size: 5 * chunkSize };
    const blobs = new Blobs(() => {});
    blobs.expect([announced.sha256]);
    const ends = [codeOf(blobs.open(pulled)), codeOf(blobs.open(announced))];
    await new Promise(setImmediate);
    blobs.lost(lost);
    ends.push(codeOf(blobs.open(later).then(read)), codeOf(blobs.whole(pulled)));
    expect(await Promise.all(ends)).toEqual(Array(4).fill('agent.link-lost'));
  });

  it('waits for announced contents and goes on when one of them fails', async () => {
    const good = Buffer.from('good');
    const [first, second] = [contentOf(good), contentOf(Buffer.from('bad'))];
    const blobs = new Blobs(() => {});
    blobs.expect([first.sha256, second.sha256]);
    const ready = blobs.inHand([first, second, contentOf(Buffer.from('never announced'))]);
    blobs.chunk({ sha256: first.sha256, offset: 0, bytes: good });
    blobs.refuse(second.sha256, agentProblem('blob.missing', 'not here'));
    await ready;
    expect(blobs.held(contentOf(good))).toEqual(good);
  });

  it('leaves chunks nobody asked for', async () => {
    const blobs = new Blobs(() => {});
    const bytes = Buffer.from('unasked');
    blobs.chunk({ sha256: contentOf(bytes).sha256, offset: 0, bytes });
    expect(blobs.held(contentOf(bytes))).toBeUndefined();
  });
});
