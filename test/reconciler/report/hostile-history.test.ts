/**
 * What one host can do to the history of a run, and to what waits in front of it.
 * Invariant: sizes are counted in characters of what is kept; the other hosts are kept whole.
 * Test code only.
 */

import { describe, expect, it } from 'vitest';
import type { AgentEvent } from '../../../agent/protocol/message.ts';
import type { ResourceReport } from '../../../agent/protocol/outcome.ts';
import { Secret } from '../../../agent/protocol/secret.ts';
import type { RunEvent } from '../../../reconciler/base/event.ts';
import { createHistorySink } from '../../../reconciler/report/history.ts';
import { redactEvents } from '../../../reconciler/report/redact.ts';
import { SecretRegistry } from '../../../reconciler/report/secret-registry.ts';
import { stamped } from './events.ts';

const megabyte = 1024 * 1024;
const from = (host: string, event: AgentEvent): RunEvent =>
  stamped({ type: 'host-event', host, role: 'web', event });
const output = (text: string, resource = 'r'): AgentEvent => ({
  event: 'output',
  resource,
  stream: 'stdout',
  text,
});

function report(index: number, more: Partial<ResourceReport> = {}): ResourceReport {
  const changes = [{ action: 'update' as const, property: 'content', diff: 'd'.repeat(1000) }];
  return { resource: `file:/${index}`, outcome: 'changed', changes, milliseconds: 1, ...more };
}

function end(host: string, reports: readonly ResourceReport[]): RunEvent {
  const outcomes = { unchanged: 0, changed: reports.length, failed: 0, skipped: 0, unknown: 0 };
  const about = { key: 'production/web', digest: 'd', run: 'r1', mode: 'apply' as const, milliseconds: 1 };
  const result = { ...about, complete: true, ok: true, outcomes, reports: [...reports] };
  return stamped({ type: 'host-finished', host, role: 'web', mode: 'apply', drift: false, result });
}

async function kept(events: Iterable<RunEvent>): Promise<readonly RunEvent[]> {
  const all: RunEvent[] = [];
  const store = { append: async (_: string, batch: readonly RunEvent[]) => void all.push(...batch) };
  const { sink, flush } = createHistorySink({ store, onFailure: () => {}, every: 60_000 });
  for (const event of events) sink(event);
  await flush();
  return all;
}

const sizeOf = (events: readonly RunEvent[]): number => JSON.stringify(events).length;
const textOf = (event: RunEvent | undefined): string =>
  event?.type === 'host-event' && event.event.event === 'output' ? event.event.text : '';

describe('the history of a run', () => {
  it('keeps a bounded number of tiny pieces of output, and those of other hosts', async () => {
    const events = [
      ...Array.from({ length: 100_000 }, () => from('bad', output(''))),
      ...Array.from({ length: 100 }, () => from('good', output('a line of text\n'))),
      end('bad', []),
      end('good', []),
    ];
    const all = await kept(events);
    expect(sizeOf(all)).toBeLessThan(2 * megabyte);
    expect(all.filter((event) => 'host' in event && event.host === 'good')).toHaveLength(101);
    expect(all.map(textOf)).toContain('(0 more characters of output were not kept)\n');
  });

  it('keeps reports of a host whole, then bare, then only their number', async () => {
    function* flood(): Generator<RunEvent> {
      for (let index = 0; index < 50_000; index += 1)
        yield from('bad', { event: 'finished', report: report(index) });
      yield end(
        'bad',
        Array.from({ length: 20_000 }, (_, index) => report(index)),
      );
    }
    const all = await kept(flood());
    expect(sizeOf(all)).toBeLessThan(8 * megabyte);
    expect(all[0]).toEqual(from('bad', { event: 'finished', report: report(0) }));
    expect(all.at(-3)).toMatchObject({
      event: { report: { changes: [{ action: 'update', property: 'content' }] } },
    });
    expect(textOf(all.at(-2))).toMatch(/^\(\d{5} more events were not kept\)\n$/);
    expect(all.at(-1)).toMatchObject({ result: { ok: true, outcomes: { changed: 20_000 }, reports: [] } });
  });

  it('keeps the first failures of a host whose reports have no room', async () => {
    const problem = {
      code: 'command.failed',
      disposition: 'stalled' as const,
      message: 'm'.repeat(10_000),
      hint: 'h',
      lines: ['l'],
    };
    const reports = Array.from({ length: 30_000 }, (_, index) =>
      report(index, index % 2 === 0 ? {} : { outcome: 'failed', problem, reason: 'x'.repeat(1000) }),
    );
    const [last] = await kept([end('bad', reports)]);
    expect(sizeOf([last as RunEvent])).toBeLessThan(megabyte);
    expect(last).toMatchObject({
      result: { reports: { length: 20, 0: { outcome: 'failed', resource: 'file:/1' } } },
    });
  });

  it('keeps an honest role of five thousand resources', async () => {
    const reports = Array.from({ length: 5000 }, (_, index) => report(index, { changes: [] }));
    const events = [
      ...reports.map((each) => from('good', { event: 'finished', report: each })),
      end('good', reports),
    ];
    const all = await kept(events);
    expect(all).toEqual(events);
  });
});

describe('output that could end inside a secret', () => {
  it('waits in a bounded number of streams of a host', () => {
    const registry = new SecretRegistry();
    registry.add(new Secret('a-secret-word'));
    const seen: RunEvent[] = [];
    const sink = redactEvents(registry, (event) => seen.push(event));
    for (let index = 0; index < 1000; index += 1) sink(from('bad', output('a-sec', `r${index}`)));
    expect(seen).toHaveLength(1000 - 16);
    sink(from('bad', output('ret-word\n', 'r999')));
    sink(end('bad', []));
    expect(JSON.stringify(seen)).not.toContain('a-secret-word');
    expect(seen).toHaveLength(1001);
  });
});
