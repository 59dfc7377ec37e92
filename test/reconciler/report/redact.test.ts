import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../../agent/protocol/secret.ts';
import type { RunEvent } from '../../../reconciler/base/event.ts';
import { redactEvents, redactProblem } from '../../../reconciler/report/redact.ts';
import { SecretRegistry } from '../../../reconciler/report/secret-registry.ts';
import { type BareEvent, stamped, wholeRuns } from './events.ts';

function collect(
  texts: readonly string[],
  events: readonly RunEvent[],
  isSensitive?: () => boolean,
): RunEvent[] {
  const registry = new SecretRegistry();
  for (const text of texts) registry.add(new Secret(text));
  const seen: RunEvent[] = [];
  const sink = redactEvents(registry, (event) => seen.push(event), isSensitive);
  for (const event of events) sink(event);
  return seen;
}

const output = (text: string, host = 'web-1'): RunEvent =>
  stamped({
    type: 'host-event',
    host,
    role: 'web',
    event: { event: 'output', resource: 'command:x', stream: 'stdout', text },
  });
const end: BareEvent = {
  type: 'run-finished',
  summary: {
    outcome: 'done',
    resources: { unchanged: 0, changed: 0, failed: 0, skipped: 0, unknown: 0 },
    hosts: { changed: [], unchanged: [], failed: [], unreachable: [], waiting: [] },
    milliseconds: 1,
  },
};

function said(events: readonly RunEvent[]): string {
  return events
    .flatMap((event) =>
      event.type === 'host-event' && event.event.event === 'output' ? [event.event.text] : [],
    )
    .join('');
}

describe('redactEvents', () => {
  it('finds a canary in every string field, in every encoding', () => {
    const canary = 'Kan4rienvogel "7/%"';
    const encoded = [
      canary,
      JSON.stringify(canary),
      encodeURIComponent(canary),
      Buffer.from(canary).toString('base64'),
      Buffer.from(`user:${canary}`).toString('base64'),
      Buffer.from(canary).toString('hex'),
    ];
    const text = fc
      .tuple(fc.string({ maxLength: 5 }), fc.constantFrom(...encoded), fc.string({ maxLength: 5 }))
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(wholeRuns(text), (events) => {
        const leaked = JSON.stringify(collect([canary], events));
        for (const form of ['Kan4rien', 'S2FuNHJpZW52b2dlbC', 'Kan4rienvogel%20', '4b616e347269656e'])
          expect(leaked).not.toContain(form);
      }),
      { numRuns: 150 },
    );
  });

  it('masks a secret that output cuts in pieces, and loses nothing else', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 30 }), (sizes) => {
        const whole = 'login hunter2hunter with hunter2 and hunt\n';
        const pieces: RunEvent[] = [];
        for (let at = 0, turn = 0; at < whole.length; turn += 1) {
          const size = sizes[turn % sizes.length] ?? 1;
          pieces.push(output(whole.slice(at, at + size)));
          at += size;
        }
        const text = said(collect(['hunter2', '2hunter'], [...pieces, stamped(end)]));
        expect(text.replaceAll('«secret»', '#')).toBe('login # with # and hunt\n');
      }),
    );
  });

  it('gives held output before the next event of its host and before the end of the run', () => {
    const next = stamped({ type: 'host-connecting', host: 'web-1' });
    const seen = collect(['hunter2'], [output('a hun'), output('b hun', 'web-2'), next, stamped(end)]);
    const order = seen.map((event) =>
      event.type === 'host-event' ? `${event.host} ${said([event])}` : event.type,
    );
    expect(order).toEqual([
      'web-1 a ',
      'web-2 b ',
      'web-1 hun',
      'host-connecting',
      'web-2 hun',
      'run-finished',
    ]);
  });

  it('masks overlapping secrets as one and single lines of a key', () => {
    const registry = new SecretRegistry();
    for (const text of ['abcdef', 'defghi', 'first-line-of-key\nsecond-line-of-key'])
      registry.add(new Secret(text));
    expect(registry.redact('xabcdefghiy')).toBe('x«secret»y');
    expect(registry.redact('+second-line-of-key')).toBe('+«secret»');
  });

  it('refuses secrets too short to be masked', () => {
    const registry = new SecretRegistry();
    expect(registry.add(new Secret('abc'))).toBe(false);
    expect(registry.redact('abc')).toBe('abc');
  });

  it('keeps the words that steer reporters, even when a secret is such a word', () => {
    const [event] = collect(
      ['apply', 'commit'],
      [stamped({ type: 'run-started', trigger: 'commit', mode: 'apply' })],
    );
    expect(event).toMatchObject({ type: 'run-started', trigger: 'commit', mode: 'apply' });
  });

  it('cuts what is sensitive down to the bare fact', () => {
    const problem = {
      code: 'x.y',
      disposition: 'retry',
      message: 'm',
      hint: 'h',
      lines: ['said'],
      cause: { code: 'c', disposition: 'retry', message: 'm', hint: 'h', lines: ['said'] },
    } as const;
    const report = {
      resource: 'file:/key',
      outcome: 'changed' as const,
      changes: [
        { action: 'update' as const, property: 'content', from: 'old', to: 'new', diff: '-old\n+new' },
      ],
      milliseconds: 1,
      problem,
    };
    const events: BareEvent[] = [
      { type: 'host-event', host: 'h', role: 'r', event: { event: 'finished', report } },
      {
        type: 'host-event',
        host: 'h',
        role: 'r',
        event: { event: 'output', resource: 'file:/key', stream: 'stdout', text: 'said' },
      },
      {
        type: 'host-event',
        host: 'h',
        role: 'r',
        event: { event: 'retrying', resource: 'file:/key', attempt: 1, problem },
      },
      { type: 'host-event', host: 'h', role: 'r', event: { event: 'waiting', reason: 'lock' } },
      {
        type: 'host-finished',
        host: 'h',
        role: 'r',
        mode: 'apply',
        drift: false,
        result: {
          key: 'k',
          digest: 'd',
          run: 'r',
          mode: 'apply',
          complete: true,
          ok: true,
          outcomes: {} as never,
          reports: [report],
          milliseconds: 1,
        },
      },
    ];
    const text = JSON.stringify(collect([], events.map(stamped), () => true));
    expect(text).toContain('"property":"content"');
    for (const leak of ['old', 'new', 'said']) expect(text).not.toContain(leak);
  });

  it('masks problems that leave without an event', () => {
    const registry = new SecretRegistry();
    registry.add(new Secret('hunter2'));
    const problem = redactProblem(
      { code: 'a.b', disposition: 'stalled', message: 'got hunter2', hint: 'h' },
      registry,
    );
    expect(problem.message).toBe('got «secret»');
  });
});
