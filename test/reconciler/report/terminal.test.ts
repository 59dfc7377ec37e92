import { Writable } from 'node:stream';
import fc from 'fast-check';
import { createLogUpdate } from 'log-update';
import { describe, expect, it } from 'vitest';
import type { RunEvent } from '../../../reconciler/base/event.ts';
import { displayWidth } from '../../../reconciler/report/display-width.ts';
import { makeStyle } from '../../../reconciler/report/style.ts';
import { createTerminalReporter } from '../../../reconciler/report/terminal.ts';
import { type BareEvent, nastyText, stamped, wholeRuns } from './events.ts';

interface Setup {
  readonly columns: number;
  readonly live?: boolean;
  readonly colour?: boolean;
  readonly verbosity?: number;
}

function sink(setup: Setup) {
  let text = '';
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  const terminal = Object.assign(stream, { columns: setup.columns, rows: 20 });
  const reporter = createTerminalReporter({
    stream: terminal,
    style: makeStyle({ colour: setup.colour === true, unicode: true }),
    clock: { now: () => Date.parse('2026-11-21T09:00:03Z') },
    verbosity: setup.verbosity ?? 0,
    drawing: setup.live === true ? createLogUpdate(terminal, { defaultWidth: 80 }) : undefined,
  });
  return { reporter, stream, text: () => text };
}

function shown(events: readonly RunEvent[], setup: Setup): string {
  const { reporter, text } = sink(setup);
  for (const event of events) reporter.sink(event);
  reporter.close();
  return text();
}

describe('createTerminalReporter', () => {
  it('writes no control character and no line wider than the terminal, whatever hosts say', () => {
    fc.assert(
      fc.property(
        wholeRuns(nastyText),
        fc.integer({ min: 20, max: 200 }),
        fc.integer({ min: 0, max: 2 }),
        (events, columns, verbosity) => {
          const text = shown(events, { columns, verbosity });
          expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
          for (const line of text.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(columns);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('on a live terminal writes only the control sequences of its own drawing', () => {
    fc.assert(
      fc.property(wholeRuns(nastyText), (events) => {
        const text = shown(events, { columns: 80, live: true, colour: true, verbosity: 1 });
        const own = text.replace(/\x1b\[(\??[0-9;]*)[mAGKJhlBEF]/g, '');
        expect(own.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
      }),
      { numRuns: 60 },
    );
  });

  it.each([true, false])('says nothing while it is held, and all of it afterwards (live %s)', (live) => {
    const [events] = fc.sample(wholeRuns(nastyText), { numRuns: 1, seed: 3 });
    const free = shown(events ?? [], { columns: 80 });
    const { reporter, text } = sink({ columns: 80, live });
    const [release, second] = [reporter.hold(), reporter.hold()];
    const before = text();
    for (const event of events ?? []) reporter.sink(event);
    reporter.close();
    release();
    release();
    expect(text().replaceAll('\x1b', '').length - before.length).toBeLessThan(40);
    second();
    const own = text().replace(/\x1b\[(\??[0-9;]*)[mAGKJhlBEF]/g, '');
    if (!live) expect(own).toBe(free);
    expect(own.length).toBeGreaterThan(before.length + 40);
  });

  it('ignores events of a run whose start it has not seen', () => {
    expect(shown([stamped({ type: 'host-connecting', host: 'a' })], { columns: 80 })).toBe('');
  });

  it('goes quiet when nobody reads any more', async () => {
    const { reporter, stream, text } = sink({ columns: 80 });
    reporter.sink(stamped({ type: 'run-started', trigger: 'commit', mode: 'apply' }));
    stream.destroy(Object.assign(new Error('gone'), { code: 'EPIPE' }));
    await new Promise((resolve) => stream.once('close', resolve));
    const problem = { code: 'a.b', disposition: 'retry', message: 'm', hint: 'h' } as const;
    reporter.sink(stamped({ type: 'host-failed', host: 'a', problem }));
    expect(text()).toBe('');
  });

  it('keeps the lines of two runs at once apart', () => {
    const second = { run: 'r2', environment: 'preview' };
    const planned: BareEvent = { type: 'planned', affected: [], current: 1, hosts: 1, milliseconds: 1 };
    const finished: BareEvent = {
      type: 'run-finished',
      summary: {
        outcome: 'nothing-to-do',
        resources: { unchanged: 0, changed: 0, failed: 0, skipped: 0, unknown: 0 },
        hosts: { changed: [], unchanged: [], failed: [], unreachable: [], waiting: [] },
        milliseconds: 5,
      },
    };
    const start: BareEvent = { type: 'run-started', trigger: 'commit', mode: 'apply' };
    const events = [start, planned, finished].flatMap((event) => [
      stamped(event),
      stamped({ ...event, ...second }),
    ]);
    expect(shown(events, { columns: 80 })).toBe(
      '✓ production: nothing to do (5 ms)\n✓ preview: nothing to do (5 ms)\n',
    );
  });
});

describe('the summary of a large fleet', () => {
  const hosts = Array.from({ length: 50 }, (_, index) => `h${index}`);
  const changed = (host: string): BareEvent => ({
    type: 'host-finished',
    host,
    role: 'web',
    mode: 'apply',
    drift: false,
    result: {
      key: 'k',
      digest: 'd',
      run: 'r1',
      mode: 'apply',
      complete: true,
      ok: true,
      outcomes: { unchanged: 0, changed: 1, failed: 0, skipped: 0, unknown: 0 },
      reports: [
        {
          resource: 'file:/x',
          outcome: 'changed',
          changes: [{ action: 'update', property: 'id', to: host }],
          milliseconds: 1,
        },
      ],
      milliseconds: 1,
    },
  });
  const end: BareEvent = {
    type: 'run-finished',
    summary: {
      outcome: 'done',
      resources: { unchanged: 0, changed: 50, failed: 0, skipped: 0, unknown: 0 },
      hosts: { changed: hosts, unchanged: [], failed: [], unreachable: [], waiting: [] },
      milliseconds: 5,
    },
  };
  const events = [
    { type: 'run-started', trigger: 'commit', mode: 'apply' } as BareEvent,
    ...hosts.map(changed),
    end,
  ].map(stamped);

  it('stops after thirty different changes and says where the others are', () => {
    const text = shown(events, { columns: 80 });
    expect(text.match(/~ file:/g)).toHaveLength(30);
    expect(text).toContain('… 20 more like these; towline show r1 -v has all');
  });

  it('shows all of them under -v', () => {
    expect(shown(events, { columns: 80, verbosity: 1 }).match(/~ file:/g)).toHaveLength(50);
  });
});

describe('problems that end a run', () => {
  it('are told once, however often the run tells them', () => {
    const problem = {
      code: 'source.fetch-failed',
      disposition: 'retry',
      message: 'no route',
      hint: 'h',
    } as const;
    const events: BareEvent[] = [
      { type: 'run-started', trigger: 'commit', mode: 'apply' },
      { type: 'host-failed', host: 'a', role: 'web', problem },
      { type: 'host-failed', host: 'a', role: 'web', problem },
      {
        type: 'run-finished',
        summary: {
          outcome: 'failed',
          resources: { unchanged: 0, changed: 0, failed: 0, skipped: 0, unknown: 0 },
          hosts: { changed: [], unchanged: [], failed: ['a'], unreachable: [], waiting: [] },
          milliseconds: 5,
          problem,
        },
      },
    ];
    const text = shown(events.map(stamped), { columns: 80 });
    expect(text.match(/✗ source\.fetch-failed/g)).toHaveLength(1);
  });
});
