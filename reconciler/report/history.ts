/**
 * Events into the history, in batches.
 * Invariant: events of a run arrive in order; what is over the budget of a run's output or the share of a host is dropped and counted,
 * so that no host decides how large the history grows or how much of another is kept.
 * Never throws and never blocks: what the store refuses is told to `onFailure` and the run goes on.
 */

import type { EventSink, RunEvent } from '../base/event.ts';
import { HistoryShare } from './history-share.ts';

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
  /** Characters of output kept of one run; one host has at most a quarter of it. */
  readonly outputBudget?: number;
}

export interface HistorySink {
  readonly sink: EventSink;
  /** Writes what is left; settles when the store has it. */
  flush(): Promise<void>;
}

type HostEvent = Extract<RunEvent, { type: 'host-event' }>;

interface Kept {
  waiting: RunEvent[];
  outputLeft: number;
  readonly outputOfHost: number;
  readonly hosts: Map<string, { readonly share: HistoryShare; outputLeft: number }>;
  /** By host and role. */
  readonly dropped: Map<string, { readonly last: HostEvent; characters: number }>;
  writing: Promise<void>;
}

/** What a piece of output costs beside its text, however short that is. */
const outputEnvelope = 200;

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
    const kept = runs.get(event.run) ?? begin(options.outputBudget ?? 4 * 1024 * 1024);
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
  const writing = Promise.resolve();
  return {
    waiting: [],
    outputLeft,
    outputOfHost: outputLeft / 4,
    hosts: new Map(),
    dropped: new Map(),
    writing,
  };
}

function hostOf(kept: Kept, name: string): { readonly share: HistoryShare; outputLeft: number } {
  const known = kept.hosts.get(name) ?? { share: new HistoryShare(), outputLeft: kept.outputOfHost };
  kept.hosts.set(name, known);
  return known;
}

function keep(kept: Kept, event: RunEvent): void {
  switch (event.type) {
    case 'host-event':
      return event.event.event === 'output'
        ? keepOutput(kept, event, event.event.text.length)
        : keepEvent(kept, event);
    case 'host-finished':
      noteDropped(kept, `${event.host}\n${event.role}`, event.at);
      return keepEnd(kept, event);
    case 'run-finished':
      for (const key of kept.dropped.keys()) noteDropped(kept, key, event.at);
      kept.waiting.push(event);
      return;
    case 'host-runtime':
      // How far a shipment is interests nobody later.
      if (event.stage !== 'sends') kept.waiting.push(event);
      return;
    default:
      kept.waiting.push(event);
  }
}

function keepEvent(kept: Kept, event: HostEvent): void {
  const fitting = hostOf(kept, event.host).share.ofEvent(event);
  if (fitting !== undefined) kept.waiting.push(fitting);
}

function keepEnd(kept: Kept, event: Extract<RunEvent, { type: 'host-finished' }>): void {
  const { run, at, environment, host, role } = event;
  const { share } = hostOf(kept, host);
  const dropped = share.takeDropped();
  if (dropped > 0) {
    const text = `(${dropped} more events were not kept)\n`;
    const said = { event: 'output', resource: '', stream: 'stdout', text } as const;
    kept.waiting.push({ run, at, environment, type: 'host-event', host, role, event: said });
  }
  kept.waiting.push(share.ofEnd(event));
}

function keepOutput(kept: Kept, event: HostEvent, characters: number): void {
  const key = `${event.host}\n${event.role}`;
  const host = hostOf(kept, event.host);
  const dropped = kept.dropped.get(key);
  const cost = characters + outputEnvelope;
  if (cost <= Math.min(kept.outputLeft, host.outputLeft) && dropped === undefined) {
    kept.outputLeft -= cost;
    host.outputLeft -= cost;
    kept.waiting.push(event);
  } else kept.dropped.set(key, { last: event, characters: (dropped?.characters ?? 0) + characters });
}

/** Says in the history itself how much output it does not have. */
function noteDropped(kept: Kept, key: string, at: string): void {
  const dropped = kept.dropped.get(key);
  kept.dropped.delete(key);
  if (dropped === undefined || dropped.last.event.event !== 'output') return;
  const text = `(${dropped.characters} more characters of output were not kept)\n`;
  kept.waiting.push({ ...dropped.last, at, event: { ...dropped.last.event, text } });
}
