/**
 * Plays the event files of test/cases/report into the terminal reporter and compares what a person would see.
 * A case: a line of settings, lines of events, a line `=====`, the text. UPDATE_CASES=1 writes the text anew for review.
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { RunEvent } from '../../../reconciler/base/event.ts';
import { paintLines } from '../../../reconciler/report/line.ts';
import { makeStyle } from '../../../reconciler/report/style.ts';
import { createTerminalReporter } from '../../../reconciler/report/terminal.ts';
import { advance, beginRun } from '../../../reconciler/report/terminal-state.ts';
import { liveLines } from '../../../reconciler/report/terminal-view.ts';
import { type BareEvent, stamped } from './events.ts';

interface Settings {
  readonly show: 'log' | 'frame';
  readonly width: number;
  readonly rows?: number;
  readonly verbosity?: number;
  readonly ascii?: boolean;
}

const folder = new URL('../../cases/report/', import.meta.url);
const now = Date.parse('2026-11-21T09:00:07.000Z');

function log(events: readonly RunEvent[], settings: Settings): string {
  let text = '';
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  const reporter = createTerminalReporter({
    stream: Object.assign(stream, { columns: settings.width }),
    style: makeStyle({ colour: false, unicode: settings.ascii !== true }),
    clock: { now: () => now },
    verbosity: settings.verbosity ?? 0,
  });
  for (const event of events) reporter.sink(event);
  reporter.close();
  return text;
}

function frame(events: readonly RunEvent[], settings: Settings): string {
  const style = makeStyle({ colour: false, unicode: settings.ascii !== true });
  const [first, ...rest] = events;
  if (first?.type !== 'run-started') throw new Error('a case begins with run-started');
  const view = beginRun(first);
  for (const event of rest) advance(view, event);
  const { width, rows = 24 } = settings;
  return `${paintLines(liveLines(view, { style, width, rows, now, frame: 0 }), style, width).join('\n')}\n`;
}

describe('what a person sees', () => {
  const names = readdirSync(folder).filter((name) => name.endsWith('.txt'));

  it('has cases', () => {
    expect(names.length).toBeGreaterThan(8);
  });

  it.each(names.map((name) => [name.replace('.txt', '').replaceAll('-', ' '), name]))(
    '%s',
    (_title, name) => {
      const file = new URL(name, folder);
      const [input = '', expected] = readFileSync(file, 'utf8').split('=====\n');
      const [head = '', ...lines] = input.trimEnd().split('\n');
      const settings: Settings = JSON.parse(head);
      const events = lines.map((line) => stamped(JSON.parse(line) as BareEvent));
      const shown = settings.show === 'log' ? log(events, settings) : frame(events, settings);
      if (process.env.UPDATE_CASES === '1') writeFileSync(file, `${input}=====\n${shown}`);
      else expect(shown).toBe(expected);
    },
  );
});
