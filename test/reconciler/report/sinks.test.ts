import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type RunEvent, runtimeStages } from '../../../reconciler/base/event.ts';
import { fanOut } from '../../../reconciler/report/fan-out.ts';
import { createHistorySink } from '../../../reconciler/report/history.ts';
import { createJsonSink } from '../../../reconciler/report/json.ts';
import { createLog, createLogSink } from '../../../reconciler/report/log.ts';
import { type BareEvent, nastyText, stamped, wholeRuns } from './events.ts';

const connecting = stamped({ type: 'host-connecting', host: 'web-1' });
const resources = { unchanged: 0, changed: 0, failed: 0, skipped: 0, unknown: 0 };
const hosts = { changed: [], unchanged: [], failed: [], unreachable: [], waiting: [] };
const finished = stamped({
  type: 'run-finished',
  summary: { outcome: 'done', resources, hosts, milliseconds: 5 },
});
const said = (text: string): RunEvent =>
  stamped({
    type: 'host-event',
    host: 'web-1',
    role: 'web',
    event: { event: 'output', resource: 'command:x', stream: 'stdout', text },
  });

const shipping = (stage: (typeof runtimeStages)[number]): RunEvent =>
  stamped({
    type: 'host-runtime',
    host: 'web-1',
    stage,
    version: '24.21.0',
    platform: 'linux-x64',
    why: 'no Node was found',
    place: '~/.cache/towline',
    keep: true,
    size: 36_000_000,
    sent: 0,
  });

describe('fanOut', () => {
  it('gives every sink every event although one throws', () => {
    const seen: RunEvent[] = [];
    const failures: unknown[] = [];
    const broken = () => {
      throw new Error('broken');
    };
    const sink = fanOut([broken, (event) => seen.push(event)], (error) => failures.push(error));
    sink(connecting);
    sink(finished);
    expect(seen).toEqual([connecting, finished]);
    expect(failures).toHaveLength(2);
    expect(() => fanOut([broken])(connecting)).not.toThrow();
  });
});

describe('createJsonSink', () => {
  it('writes one event a line that reads back equal and cannot steer a terminal', () => {
    fc.assert(
      fc.property(wholeRuns(nastyText), (events) => {
        const stream = new PassThrough();
        const sink = createJsonSink(stream);
        for (const event of events) sink(event);
        const text = stream.read()?.toString() ?? '';
        expect(
          text
            .split('\n')
            .slice(0, -1)
            .map((line: string) => JSON.parse(line)),
        ).toEqual(JSON.parse(JSON.stringify(events)));
        expect(text.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
      }),
      { numRuns: 60 },
    );
  });

  it('goes quiet and says so once when the reader is gone', async () => {
    const stream = new PassThrough();
    const broken: Error[] = [];
    const sink = createJsonSink(stream, (error) => broken.push(error));
    stream.destroy(new Error('EPIPE'));
    await new Promise((resolve) => stream.once('close', resolve));
    stream.emit('error', new Error('again'));
    sink(connecting);
    expect(broken.map(({ message }) => message)).toEqual(['EPIPE']);
  });
});

describe('createHistorySink', () => {
  function recorder() {
    const batches: { run: string; events: readonly RunEvent[] }[] = [];
    return {
      batches,
      append: async (run: string, events: readonly RunEvent[]) => void batches.push({ run, events }),
    };
  }

  it('writes in batches, in order, and the rest at the end of a run', async () => {
    const store = recorder();
    const { sink, flush } = createHistorySink({ store, onFailure: () => {}, batch: 3, every: 60_000 });
    const events = Array.from({ length: 7 }, () => connecting);
    for (const event of [...events, finished]) sink(event);
    await flush();
    expect(store.batches.map(({ events: batch }) => batch.length)).toEqual([3, 3, 2]);
    expect(store.batches.flatMap(({ events: batch }) => batch)).toEqual([...events, finished]);
  });

  it('keeps that a Node was sent, not how far it was', async () => {
    const store = recorder();
    const { sink, flush } = createHistorySink({ store, onFailure: () => {} });
    for (const stage of runtimeStages) sink(shipping(stage));
    await flush();
    const kept = store.batches.flatMap(({ events }) => events);
    expect(kept.map((event) => event.type === 'host-runtime' && event.stage)).toEqual([
      'prepares',
      'begins',
      'done',
    ]);
  });

  it('writes a small batch after a while', async () => {
    const store = recorder();
    const { sink } = createHistorySink({ store, onFailure: () => {}, every: 5 });
    sink(connecting);
    await expect.poll(() => store.batches.length).toBe(1);
  });

  it('keeps output up to the budget and says how much it dropped', async () => {
    const store = recorder();
    const { sink, flush } = createHistorySink({ store, onFailure: () => {}, outputBudget: 4 * 410 });
    for (const text of ['12345', '1234', 'too long', 'x']) sink(said(text));
    sink(finished);
    await flush();
    const texts = store.batches
      .flatMap(({ events }) => events)
      .map((event) =>
        event.type === 'host-event' && event.event.event === 'output' ? event.event.text : event.type,
      );
    expect(texts).toEqual(['12345', '1234', '(9 more characters of output were not kept)\n', 'run-finished']);
  });

  it('goes on when the store refuses, and tells how many events were lost', async () => {
    const lost: number[] = [];
    const store = { append: () => Promise.reject(new Error('disk full')) };
    const { sink, flush } = createHistorySink({
      store,
      onFailure: (_error, _run, count) => lost.push(count),
    });
    sink(connecting);
    sink(finished);
    await flush();
    expect(lost).toEqual([2]);
  });
});

describe('createLogSink', () => {
  function logged(events: readonly RunEvent[], level: 'debug' | 'info' = 'debug') {
    const folder = mkdtempSync(join(tmpdir(), 'towline-log-'));
    const file = join(folder, 'log');
    const sink = createLogSink(createLog({ level, file }));
    for (const event of events) sink(event);
    const text = readFileSync(file, 'utf8');
    rmSync(folder, { recursive: true });
    return text;
  }
  const records = (text: string) =>
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));

  it('tells of a Node that is sent once before and once after', () => {
    const all = records(logged(runtimeStages.map(shipping), 'info'));
    expect(all.map(({ msg, host, size }) => [msg, host, size])).toEqual([
      ['sending a runtime', 'web-1', 36_000_000],
      ['runtime sent', 'web-1', 36_000_000],
    ]);
  });

  it('writes what is noteworthy with constant messages and fields', () => {
    const problem = {
      code: 'ssh.refused',
      disposition: 'retry',
      message: 'refused',
      hint: 'h',
      cause: { code: 'a.b', disposition: 'retry', message: 'm', hint: 'h' },
    } as const;
    const result = {
      key: 'k',
      digest: 'd',
      run: 'r1',
      mode: 'apply' as const,
      complete: true,
      ok: true,
      outcomes: resources,
      milliseconds: 7,
    };
    const report = { resource: 'file:/x', outcome: 'changed' as const, changes: [], milliseconds: 1 };
    const role = { type: 'host-finished', host: 'web-1', role: 'web', mode: 'apply', drift: false } as const;
    const events: BareEvent[] = [
      { type: 'run-started', trigger: 'drift', mode: 'drift-correct' },
      { type: 'revision', revision: { id: 'abc', subject: 's', author: 'a' } },
      { type: 'planned', affected: [], current: 1, hosts: 1, milliseconds: 1 },
      { type: 'problem', problem },
      { type: 'host-failed', host: 'web-1', problem },
      { ...role, result: { ...result, reports: [] } },
      { ...role, result: { ...result, reports: [report] } },
      { ...role, drift: true, result: { ...result, reports: [report] } },
      { ...role, drift: true, mode: 'check', result: { ...result, reports: [report] } },
      { ...role, result: { ...result, ok: false, problem, reports: [report] } },
      { type: 'released', host: 'web-1', role: 'old', resources: ['a'] },
      {
        type: 'run-finished',
        summary: {
          outcome: 'failed',
          resources,
          hosts: { ...hosts, failed: ['web-1'] },
          milliseconds: 5,
          problem,
        },
      },
    ];
    const lines = records(logged([...events.map(stamped), said('nothing of this'), connecting]));
    expect(lines.map(({ level, msg }) => `${level} ${msg}`)).toEqual([
      '20 run started',
      '20 revision',
      '20 planned',
      '50 problem',
      '40 host failed',
      '20 role unchanged',
      '30 role changed',
      '40 drift corrected',
      '40 drift found',
      '40 role failed',
      '30 role released',
      '50 run finished',
    ]);
    expect(lines[4]).toMatchObject({
      environment: 'production',
      run: 'r1',
      host: 'web-1',
      code: 'ssh.refused',
      cause: 'a.b: m',
    });
    expect(lines[6]).toMatchObject({ resources: ['file:/x'], milliseconds: 7 });
    expect(lines.at(-1)).toMatchObject({ outcome: 'failed', hosts: { failed: 1 }, code: 'ssh.refused' });
  });

  it('leaves out what is below its level', () => {
    expect(logged([stamped({ type: 'run-started', trigger: 'start', mode: 'apply' })], 'info')).toBe('');
  });

  it('writes text from hosts so that it cannot steer a terminal', () => {
    const problem = {
      code: 'a.b',
      disposition: 'retry',
      message: '\x9b31m\x1b[2J\u202e',
      hint: 'h',
    } as const;
    const text = logged([stamped({ type: 'problem', problem })]);
    expect(text.trimEnd()).not.toMatch(/[\p{Cc}\u202e]/u);
    expect(records(text)[0].problem).toBe(problem.message);
  });
});
