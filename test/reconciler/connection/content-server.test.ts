import { PassThrough, Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { FrameDecoder, frameTypes } from '../../../agent/protocol/frame.ts';
import { ContentServer } from '../../../reconciler/connection/content-server.ts';
import { FrameWriter } from '../../../reconciler/connection/frame-writer.ts';
import type { RemoteProcess, Supply } from '../../../reconciler/connection/line.ts';
import { filePlan, MemoryContents } from '../../helpers/lines.ts';
import { until } from './nested-agents.ts';

/** A server with the frames it sent, and the supplies it asked for where there is a cache that answers so. */
function serving(cacheHas?: boolean) {
  const stdin = new PassThrough();
  const decoder = new FrameDecoder();
  const frames: number[] = [];
  stdin.on('data', (bytes: Buffer) => {
    for (const frame of decoder.push(bytes)) frames.push(frame.type);
  });
  const supplies: Supply[] = [];
  const supply: RemoteProcess['supply'] = async (asked) => {
    supplies.push(asked);
    const problem = { code: 'blob.refused', disposition: 'defect', message: '', hint: '' } as const;
    return cacheHas === true ? { ok: true, value: undefined } : { ok: false, problem };
  };
  const writer = new FrameWriter({ stdin, ...(cacheHas !== undefined && { supply }) }, 0);
  return { server: new ContentServer(writer), writer, frames, supplies };
}

const contents = new MemoryContents();
const large = contents.add(Buffer.alloc(600_000, 'large'));
const need = { type: 'need', sha256: large.sha256, offset: 0, bytes: 262_144 } as const;

describe('contents for a relay', () => {
  it('are given while they are lent and no longer', async () => {
    const { server, frames } = serving();
    expect(server.serve(need)).toMatchObject({ code: 'blob.refused' });
    const [first, second] = [server.lend(large, contents), server.lend(large, contents)];
    first();
    expect(server.serve(need)).toBe(undefined);
    await until(() => frames.includes(frameTypes.chunk));
    second();
    expect(server.serve(need)).toMatchObject({ code: 'blob.refused' });
  });
});

describe('contents for a host behind a relay', () => {
  it('come from the relay and are counted as bytes of its own line', async () => {
    const { server, writer, frames, supplies } = serving(true);
    server.offer(filePlan('files', [large]), contents);
    expect(server.serve(need)).toBe(undefined);
    expect(server.serve({ ...need, offset: 262_144 })).toBe(undefined);
    await until(() => supplies.length === 2);
    expect(supplies.map(({ offset, bytes, form }) => [offset, bytes, form])).toEqual([
      [0, 262_144, 'chunk'],
      [262_144, 262_144, 'chunk'],
    ]);
    await until(() => writer.sent === 2 * (262_144 + 43));
    expect(frames).toEqual([]);
  });

  it('come from here where the relay cannot have them, and it is not asked again', async () => {
    const { server, frames, supplies } = serving(false);
    server.offer(filePlan('files', [large]), contents);
    server.serve(need);
    server.serve({ ...need, offset: 262_144 });
    await until(() => frames.length === 2);
    expect(frames).toEqual([frameTypes.chunk, frameTypes.chunk]);
    expect(supplies).toHaveLength(1);
  });

  it('are never given when no plan names them, whatever the relay has', () => {
    const { server, supplies } = serving(true);
    expect(server.serve(need)).toMatchObject({ code: 'blob.refused' });
    expect(supplies).toEqual([]);
  });
});

describe('a content for a host that takes nothing', () => {
  it('is read no further than the piece that waits, and closed when the line is gone', async () => {
    const taken: (() => void)[] = [];
    const stdin = new Writable({
      highWaterMark: 16 * 1024 * 1024,
      write: (_bytes, _encoding, done) => {
        taken.push(done);
      },
    });
    const seen = { reads: 0, closes: 0 };
    const read = async (): Promise<Buffer> => {
      seen.reads += 1;
      return Buffer.alloc(262_144);
    };
    const close = async (): Promise<void> => {
      seen.closes += 1;
    };
    const server = new ContentServer(new FrameWriter({ stdin }, 0));
    const huge = { sha256: 'a'.repeat(64), size: 8 * 262_144 };
    server.offer(filePlan('files', [huge]), { open: async () => ({ size: huge.size, read, close }) });
    for (let at = 0; at < huge.size; at += 262_144)
      expect(server.serve({ type: 'need', sha256: huge.sha256, offset: at, bytes: 262_144 })).toBe(undefined);
    await until(() => taken.length === 1);
    expect(seen.reads).toBe(1);
    taken.shift()?.();
    await until(() => taken.length === 1);
    taken.shift()?.();
    await until(() => seen.reads === 2);
    stdin.destroy();
    server.end();
    await until(() => seen.closes === 1);
    expect(seen.reads).toBeLessThan(4);
  });
});
