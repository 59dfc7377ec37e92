import { describe, expect, it } from 'vitest';
import type { ConvergeResult, JournalEntry } from '../../../agent/protocol/message.ts';
import { type Problem, type Result, success } from '../../../agent/protocol/problem.ts';
import { systemClock } from '../../../reconciler/base/clock.ts';
import type { LedgerEntry } from '../../../reconciler/base/ledger.ts';
import type { HostSession } from '../../../reconciler/connection/session.ts';
import { type HostTask, type HostTools, runHost } from '../../../reconciler/rollout/run-host.ts';
import { FactsBook } from '../../../reconciler/state/facts-book.ts';
import { openMemoryStore } from '../../../reconciler/state/open-store.ts';
import type { Store } from '../../../reconciler/state/store.ts';
import { localSpec, MemoryContents } from '../../helpers/lines.ts';
import { desiredOf } from '../plan/plans.ts';
import { debianFacts } from '../policy/fixtures.ts';

const counts = { unchanged: 0, changed: 1, failed: 0, skipped: 0, unknown: 0 };

function resultOf(run: string, digest: string, more: Partial<ConvergeResult> = {}): ConvergeResult {
  const base = { key: 'test/web', run, digest, mode: 'apply' as const, complete: true, ok: true };
  return { ...base, outcomes: counts, reports: [], milliseconds: 1, ...more };
}

function entryOf(run: string, digest: string, more: Partial<JournalEntry> = {}): JournalEntry {
  return { run, key: 'test/web', digest, startedAt: '', reports: [], result: resultOf(run, digest), ...more };
}

/** A line to a host that remembers these runs; what it is asked for is kept. */
class Line {
  readonly converged: string[] = [];
  readonly recorded: string[][] = [];
  readonly journal: readonly JournalEntry[];
  readonly answer: (run: string, digest: string) => Result<ConvergeResult>;

  constructor(
    journal: readonly JournalEntry[],
    answer: (run: string, digest: string) => Result<ConvergeResult> = (run, digest) =>
      success(resultOf(run, digest)),
  ) {
    this.journal = journal;
    this.answer = answer;
  }

  session(): HostSession {
    return {
      host: 'a',
      hello: { facts: debianFacts, journal: this.journal },
      converge: async ({ run, digest }: { run: string; digest: string }) => {
        this.converged.push(run);
        return this.answer(run, digest);
      },
      recorded: (runs: string[]) => void this.recorded.push(runs),
    } as unknown as HostSession;
  }
}

async function run(line: Line, task: Partial<HostTask> = {}, more: Partial<HostTools> = {}) {
  const opened = openMemoryStore();
  if (!opened.ok) throw new Error('no store');
  const store: Store = opened.value;
  const session = line.session();
  const tools: HostTools = {
    run: 'run-5',
    environment: 'test',
    revision: 'r',
    mode: 'apply',
    drift: false,
    spreadSeconds: 0,
    pool: { open: async () => success(session), sessions: () => [] },
    ledger: store.ledger,
    facts: await FactsBook.open(store.facts, true),
    contents: new MemoryContents(),
    clock: systemClock,
    emit: () => {},
    signal: new AbortController().signal,
    superseded: new AbortController().signal,
    ...more,
  };
  const end = await runHost({ desired: desiredOf('new'), spec: localSpec, entry: undefined, ...task }, tools);
  return { end, store };
}

const applied = (digest: string, by: string): LedgerEntry =>
  ({ ...desiredOf(digest), revision: 'r', appliedAt: '', run: by }) as LedgerEntry;

describe('what a host remembers of a run whose line was lost', () => {
  it('is recorded instead of being done again', async () => {
    const line = new Line([entryOf('run-4', 'new')]);
    const { end, store } = await run(line, { failedRun: 'run-4', entry: applied('old', 'run-1') });
    expect([end.kind, line.converged]).toEqual(['done', []]);
    expect((await store.ledger.digests('test')).get('web')?.get('a')).toBe('new');
    expect(line.recorded).toEqual([['run-4']]);
  });

  it.each([
    ['another plan', [entryOf('run-4', 'other')], {}],
    [
      'a run that did not end well',
      [entryOf('run-4', 'new', { result: resultOf('run-4', 'new', { ok: false }) })],
      {},
    ],
    ['a run that did not end', [{ ...entryOf('run-4', 'new'), result: undefined }], {}],
    ['a run before the one in force', [entryOf('run-2', 'new')], { entry: applied('old', 'run-3') }],
    ['a run before the one that failed', [entryOf('run-2', 'new')], { failedRun: 'run-3' }],
    ['a run by tag', [entryOf('run-4.tags', 'new')], {}],
    ['an earlier plan of the same key', [entryOf('run-3', 'new'), entryOf('run-4', 'other')], {}],
    ['another role', [entryOf('run-4', 'new', { key: 'test/other' })], {}],
  ] satisfies [string, JournalEntry[], Partial<HostTask>][])(
    'does not count for %s',
    async (_, journal, task) => {
      const line = new Line(journal);
      expect((await run(line, task)).end.kind).toBe('done');
      expect(line.converged).toEqual(['run-5']);
    },
  );

  it('is kept on the host while it still tells of other roles', async () => {
    const line = new Line([
      entryOf('run-3', 'old'),
      entryOf('run-4', 'new'),
      entryOf('run-4', 'x', { key: 'test/later' }),
    ]);
    await run(line);
    expect([line.converged, line.recorded]).toEqual([[], [['run-3']]]);
  });
});

describe('one host', () => {
  const broken: Problem = { code: 'test.broke', disposition: 'stalled', message: 'no', hint: '' };

  it('marks a run by tag, and records nothing as applied', async () => {
    const line = new Line([]);
    const { end, store } = await run(line, {}, { tags: ['quick'] });
    expect([end.kind, line.converged]).toEqual(['done', ['run-5.tags']]);
    expect((await store.ledger.digests('test')).size).toBe(0);
  });

  it('says when an agent failed without saying why', async () => {
    const line = new Line([], (by, digest) => success(resultOf(by, digest, { ok: false })));
    const { end, store } = await run(line);
    expect(end).toMatchObject({ kind: 'failed', problem: { code: 'agent.internal', where: { host: 'a' } } });
    expect(await store.ledger.failed('test')).toHaveLength(1);
  });

  it.each([
    ['retry', 'unreachable'],
    ['wait', 'waiting'],
    ['stalled', 'failed'],
  ] as const)('ends a line lost for %s as %s', async (disposition, kind) => {
    const line = new Line([], () => ({ ok: false, problem: { ...broken, disposition } }));
    expect((await run(line)).end).toMatchObject({ kind, problem: { where: { host: 'a', role: 'web' } } });
  });

  it('takes a ledger that cannot be written for the failure of this host', async () => {
    const refuse = async (): Promise<never> => {
      throw new Error('disk full');
    };
    const opened = openMemoryStore();
    if (!opened.ok) throw new Error('no store');
    const ledger = { ...opened.value.ledger, recordApplied: refuse };
    const { end } = await run(new Line([]), {}, { ledger });
    expect(end).toMatchObject({ kind: 'failed', problem: { code: 'rollout.internal' } });
  });
});
