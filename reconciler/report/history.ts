/**
 * Events into the history, in batches.
 * Invariant: events of a run arrive in order and whole; output over a run's budget is dropped and counted, everything else is kept.
 * Never throws and never blocks: what the store refuses is told to `onFailure` and the run goes on.
 */

import type { EventSink, RunEvent } from '../base/event.ts';

/** What it needs of a history store. */
export interface EventStore {
  append(run: string, events: readonly RunEvent[]): Promise<void>;
}

export interface HistoryOptions {
  readonly store: EventStore;
  readonly onFailure: (error: unknown, run: string, lost: number) => void;
  /** Events of a batch that is written at once. */
  readonly batch?: number;
  /** Milliseconds after which a smaller batch is written. */
  readonly every?: number;
  /** Characters of output kept of one run. */
  readonly outputBudget?: number;
}

export interface HistorySink {
  readonly sink: EventSink;
  /** Writes what is left; settles when the store has it. */
  flush(): Promise<void>;
}

type OutputEvent = Extract<RunEvent, { type: 'host-event' }>;

interface Kept {
  waiting: RunEvent[];
  outputLeft: number;
  dropped: Map<string, { readonly last: OutputEvent; count: number }>;
  writing: Promise<void>;
}

/** A sink for any number of runs at once. */
export function createHistorySink(options: HistoryOptions): HistorySink {
  const batch = options.batch ?? 256;
  const every = options.every ?? 500;
  const runs = new Map<string, Kept>();
  let timer: NodeJS.Timeout | undefined;

  const write = (run: string, kept: Kept): void => {
    const events = kept.waiting;
    if (events.length === 0) return;
    kept.waiting = [];
    kept.writing = kept.writing
      .then(() => options.store.append(run, events))
      .catch((error: unknown) => options.onFailure(error, run, events.length));
  };
  const writeAll = (): void => {
    timer = undefined;
    for (const [run, kept] of runs) write(run, kept);
  };
  const flush = async (): Promise<void> => {
    clearTimeout(timer);
    writeAll();
    await Promise.all([...runs.values()].map((kept) => kept.writing));
  };
  const sink: EventSink = (event) => {
    const kept = runs.get(event.run) ?? begin(options.outputBudget ?? 1024 * 1024);
    runs.set(event.run, kept);
    keep(kept, event);
    if (event.type === 'run-finished') {
      write(event.run, kept);
      void kept.writing.then(() => runs.delete(event.run));
    } else if (kept.waiting.length >= batch) write(event.run, kept);
    else timer ??= setTimeout(writeAll, every).unref();
  };
  return { sink, flush };
}

function begin(outputLeft: number): Kept {
  return { waiting: [], outputLeft, dropped: new Map(), writing: Promise.resolve() };
}

function keep(kept: Kept, event: RunEvent): void {
  // How far a shipment is interests nobody later.
  if (event.type === 'host-runtime' && event.stage === 'sends') return;
  if (event.type !== 'host-event' || event.event.event !== 'output') {
    if (event.type === 'host-finished') noteDropped(kept, `${event.host}\n${event.role}`, event.at);
    if (event.type === 'run-finished')
      for (const key of kept.dropped.keys()) noteDropped(kept, key, event.at);
    kept.waiting.push(event);
    return;
  }
  const size = event.event.text.length;
  const key = `${event.host}\n${event.role}`;
  const dropped = kept.dropped.get(key);
  if (size <= kept.outputLeft && dropped === undefined) {
    kept.outputLeft -= size;
    kept.waiting.push(event);
  } else kept.dropped.set(key, { last: event, count: (dropped?.count ?? 0) + size });
}

/** Says in the history itself how much output it does not have. */
function noteDropped(kept: Kept, key: string, at: string): void {
  const dropped = kept.dropped.get(key);
  kept.dropped.delete(key);
  if (dropped === undefined || dropped.last.event.event !== 'output') return;
  const text = `(${dropped.count} more characters of output were not kept)\n`;
  kept.waiting.push({ ...dropped.last, at, event: { ...dropped.last.event, text } });
}
