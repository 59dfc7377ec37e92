/**
 * Who shows runs: a live table on a terminal, plain lines elsewhere, JSON lines with --json.
 * Invariant: one of them, chosen by the surroundings and the options alone.
 * Never buffers a run's end.
 */

import type { EventSink } from '../base/event.ts';
import { createJsonSink } from '../report/json.ts';
import { chooseStyle, isLive } from '../report/style.ts';
import { createTerminalReporter, drawingOn } from '../report/terminal.ts';
import type { Invocation } from './command.ts';

export interface Watchers {
  readonly sink: EventSink;
  close(): void;
  /** Draws nothing until the result is called: somebody else needs the terminal. */
  readonly hold?: (() => () => void) | undefined;
}

/** The reporter for an invocation. */
export async function chooseWatchers({ options, surroundings }: Invocation): Promise<Watchers> {
  const { stdout, environment, clock } = surroundings;
  if (options.json) return { sink: createJsonSink(stdout as NodeJS.WriteStream), close: () => {} };
  const terminal = stdout.isTTY === true;
  const live = isLive({ environment, terminal, columns: stdout.columns });
  const drawing = live ? await drawingOn(stdout) : undefined;
  return createTerminalReporter({
    stream: stdout,
    style: chooseStyle({ environment, terminal, colour: options.color }),
    clock,
    verbosity: options.verbose,
    drawing,
  });
}
