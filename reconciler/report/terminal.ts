/**
 * Runs on a terminal: a live table while hosts work, lines where nothing can be redrawn, a summary at each run's end.
 * Invariant: at most ten frames a second; without a live terminal no control character leaves; never throws at the run.
 * Never decides anything about a run.
 */

import type { Clock } from '../base/clock.ts';
import type { EventSink, RunEvent } from '../base/event.ts';
import { type Line, paintLines } from './line.ts';
import { OutputLines } from './output-lines.ts';
import { eventLines, outputLine, plainLines, progressLine, runtimeLines } from './plain-view.ts';
import { runTitle } from './run-words.ts';
import type { Style } from './style.ts';
import { isQuiet, summaryLines } from './summary-view.ts';
import { advance, beginRun, type RunView } from './terminal-state.ts';
import { liveLines } from './terminal-view.ts';

/** What a question needs of process.stdin. */
export interface TerminalInput {
  readonly isTTY?: boolean | undefined;
  setRawMode?(raw: boolean): unknown;
  on(event: 'data', listener: (bytes: Buffer) => void): unknown;
  off(event: 'data', listener: (bytes: Buffer) => void): unknown;
  resume(): unknown;
  pause(): unknown;
}

/** What the reporter needs of process.stdout. */
export type TerminalStream = NodeJS.WritableStream & {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
};

/** Puts lines in the place of those it put there before. */
export type Drawing = ReturnType<typeof import('log-update').createLogUpdate>;

export interface TerminalOptions {
  readonly stream: TerminalStream;
  readonly style: Style;
  readonly clock: Clock;
  /** -1 (no list of what changed), 0, 1 (-v) or 2 (-vv). */
  readonly verbosity: number;
  /** Redraws in place; left out, lines follow each other. */
  readonly drawing?: Drawing | undefined;
}

export interface TerminalReporter {
  readonly sink: EventSink;
  /** Draws nothing until the result is called: somebody else needs the terminal. Nothing that was to be said is lost. */
  hold(): () => void;
  /** Puts the terminal back in order, whatever still runs. */
  close(): void;
}

const frameEvery = 100;
const progressEvery = 10_000;
const widestPlain = 200;

/** Redrawing in place on a terminal that can; its library takes long to load, so only who draws loads it. */
export async function drawingOn(stream: TerminalStream): Promise<Drawing> {
  const { createLogUpdate } = await import('log-update');
  return createLogUpdate(stream, { defaultWidth: 80 });
}

/** A reporter for any number of runs at once. */
export function createTerminalReporter(options: TerminalOptions): TerminalReporter {
  const terminal = new Terminal(options);
  return {
    sink: (event) => terminal.take(event),
    hold: () => terminal.hold(),
    close: () => terminal.close(),
  };
}

class Terminal {
  readonly #options: TerminalOptions;
  readonly #runs = new Map<string, RunView>();
  /** Lines for above the live table, written with the next frame. */
  #above: Line[] = [];
  readonly #headings = new Map<string, readonly Line[]>();
  readonly #output = new Map<string, OutputLines>();
  readonly #draw: Drawing | undefined;
  #timer: NodeJS.Timeout | undefined;
  #holds = 0;
  readonly #heldLines: Line[] = [];
  #frame = 0;
  #broken = false;

  constructor(options: TerminalOptions) {
    this.#options = options;
    this.#draw = options.drawing;
    options.stream.on('error', () => {
      this.#broken = true;
      this.close();
    });
  }

  take(event: RunEvent): void {
    if (event.type === 'run-started') {
      this.#runs.set(event.run, beginRun(event));
      this.#start();
    }
    const view = this.#runs.get(event.run);
    if (view === undefined) return;
    const output = this.#outputLines(event);
    advance(view, event);
    const { verbosity } = this.#options;
    const live = this.#live;
    const lines = live
      ? this.#liveExtra(event, view)
      : this.#held(event, view, plainLines(event, view, verbosity));
    if (live) this.#above.push(...output, ...lines);
    else this.#say([...output, ...lines]);
    if (event.type === 'run-finished') this.#finish(view);
  }

  hold(): () => void {
    this.#holds += 1;
    if (this.#holds === 1 && !this.#broken) this.#draw?.clear();
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#holds -= 1;
      if (this.#holds === 0) this.#say(this.#heldLines.splice(0));
    };
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#runs.clear();
    this.#headings.clear();
    this.#above = [];
    this.#output.clear();
    if (!this.#broken) this.#draw?.clear();
    this.#draw?.done();
  }

  get #live(): boolean {
    return this.#draw !== undefined;
  }

  #start(): void {
    const every = this.#live ? frameEvery : progressEvery;
    this.#timer ??= setInterval(() => this.#tick(), every).unref();
  }

  #tick(): void {
    this.#frame += 1;
    if (this.#live) this.#nextFrame();
    else this.#say([...this.#runs.values()].map((view) => progressLine(view, this.#options.clock.now())));
  }

  #nextFrame(): void {
    if (this.#above.length === 0) return this.#redraw();
    const lines = this.#above;
    this.#above = [];
    this.#say(lines);
  }

  #finish(view: RunView): void {
    const { verbosity, style } = this.#options;
    const live = this.#live;
    this.#runs.delete(view.run);
    const lines = summaryLines(view, { style, verbosity, width: this.#width() });
    if (live) this.#nextFrame();
    const title = live ? [runTitle(view.environment, view.revision), []] : [];
    this.#say(isQuiet(view) ? lines : [...title, ...(live ? [] : [[]]), ...lines, []]);
    if (this.#runs.size === 0) this.close();
  }

  /** A check that finds nothing shall be one line: its heading waits until there is something to say below it. */
  #held(event: RunEvent, view: RunView, lines: readonly Line[]): readonly Line[] {
    const heading = this.#headings.get(view.run) ?? [];
    const isHeading = event.type === 'planned' || event.type === 'role-started';
    if (isHeading && view.mode !== 'apply') {
      this.#headings.set(view.run, [...heading, ...lines]);
      return [];
    }
    const isQuietEnd = event.type === 'run-finished' && isQuiet(view);
    if (lines.length === 0 && event.type !== 'run-finished') return lines;
    this.#headings.delete(view.run);
    return isQuietEnd ? lines : [...heading, ...lines];
  }

  /** Above a live table only what -v asks for is said, and what is sent to a host; the table shows the rest. */
  #liveExtra(event: RunEvent, view: RunView): readonly Line[] {
    if (event.type === 'host-runtime') return event.stage === 'begins' ? runtimeLines(event) : [];
    const { verbosity } = this.#options;
    return event.type === 'host-event' && verbosity > 0 ? eventLines(event, view, verbosity) : [];
  }

  /** Whole lines that programs printed, under -v. A line without an end is said when its resource is done. */
  #outputLines(event: RunEvent): Line[] {
    if (this.#options.verbosity < 1 || event.type !== 'host-event') return [];
    const key = `${event.run} ${event.host}`;
    const collected = this.#output.get(key) ?? new OutputLines();
    if (event.event.event === 'output') {
      this.#output.set(key, collected);
      return collected.push(event.event.text).map((text) => outputLine(event.host, text));
    }
    this.#output.delete(key);
    return collected.flush().map((text) => outputLine(event.host, text));
  }

  #say(lines: readonly Line[]): void {
    if (this.#holds > 0) this.#heldLines.push(...lines);
    if (lines.length === 0 || this.#broken || this.#holds > 0) return;
    const text = paintLines(lines, this.#options.style, this.#width()).join('\n');
    if (this.#draw === undefined) {
      this.#options.stream.write(`${text}\n`);
      return;
    }
    this.#draw.clear();
    this.#options.stream.write(`${text}\n`);
    this.#redraw();
  }

  #redraw(): void {
    if (this.#draw === undefined || this.#runs.size === 0 || this.#broken || this.#holds > 0) return;
    const { style, clock, stream } = this.#options;
    const width = this.#width();
    const rows = Math.floor(((stream.rows ?? 24) - 1) / this.#runs.size);
    const shared = { style, width, rows, now: clock.now(), frame: this.#frame };
    const lines = [...this.#runs.values()].flatMap((view) => liveLines(view, shared));
    this.#draw(paintLines(lines, style, width).join('\n'));
  }

  #width(): number {
    const columns = this.#options.stream.columns || (this.#live ? 80 : 100);
    return Math.max(20, Math.min(columns, widestPlain));
  }
}
