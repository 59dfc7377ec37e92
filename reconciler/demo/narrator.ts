/**
 * The voice of the demo: numbered steps for people, JSON lines for programs.
 * Invariant: lines are never cut, so that paths and commands can be copied; pauses only where a person reads along.
 * Never speaks while a live table is on the terminal: the tour speaks between runs.
 */

import type { Json } from '../../agent/protocol/json.ts';
import { escapeJson } from '../report/escape.ts';
import { type Line, paintLines, toned } from '../report/line.ts';
import type { Style } from '../report/style.ts';

export interface Saying {
  /** For programs: what is said, as data. */
  readonly data: Readonly<Record<string, Json>>;
  readonly lines: readonly Line[];
}

export interface Narrator {
  /** Begins the next step. */
  step(title: string, saying?: Saying): void;
  /** Says more in the step. */
  say(saying: Saying): void;
  /** Gives a person time to read; ends early when the signal is given. */
  pause(milliseconds: number): Promise<void>;
}

export interface NarratorOptions {
  readonly stream: NodeJS.WritableStream;
  readonly style: Style;
  readonly json: boolean;
  /** Somebody reads along. */
  readonly paused: boolean;
  readonly signal: AbortSignal;
}

/** A narrator that begins with step 1. */
export function createNarrator(options: NarratorOptions): Narrator {
  const { stream, style, json, paused, signal } = options;
  let step = 0;
  const write = (lines: readonly Line[]): void => {
    const text = paintLines(lines, style, Number.POSITIVE_INFINITY);
    stream.write(text.map((line) => `${line}\n`).join(''));
  };
  const tell = (data: Readonly<Record<string, Json>>): void => {
    stream.write(`${escapeJson(JSON.stringify({ type: 'demo', step, ...data }))}\n`);
  };
  const say = ({ data, lines }: Saying): void => {
    if (json) tell(data);
    else write([...lines.map((line): Line => (line.length === 0 ? [] : ['   ', ...line])), []]);
  };
  return {
    step(title, saying) {
      step += 1;
      if (json) tell({ title, ...saying?.data });
      else {
        write([[toned('accent', `${step}`), '  ', toned('strong', title)], []]);
        if (saying !== undefined) say(saying);
      }
    },
    say,
    pause: (milliseconds) =>
      paused && !json && !signal.aborted ? wait(milliseconds, signal) : Promise.resolve(),
  };
}

function wait(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
