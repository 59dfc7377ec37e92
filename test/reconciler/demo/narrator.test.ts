import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createNarrator, type NarratorOptions } from '../../../reconciler/demo/narrator.ts';
import { makeStyle } from '../../../reconciler/report/style.ts';

function narrate(options: Partial<NarratorOptions> = {}) {
  let text = '';
  const stream = new Writable({
    write(bytes, _encoding, done) {
      text += String(bytes);
      done();
    },
  });
  const narrator = createNarrator({
    stream,
    style: makeStyle({ colour: false, unicode: true }),
    json: false,
    paused: false,
    signal: new AbortController().signal,
    ...options,
  });
  return { narrator, text: () => text };
}

describe('the narrator', () => {
  it('numbers steps, indents what belongs to them and cuts nothing', () => {
    const { narrator, text } = narrate();
    const long = `/${'path/'.repeat(60)}`;
    narrator.step('First');
    narrator.step('Second', { data: {}, lines: [[long], [], ['more']] });
    expect(text()).toBe(`1  First\n\n2  Second\n\n   ${long}\n\n   more\n\n`);
  });

  it('tells programs the same as data, with nothing that could steer a terminal', () => {
    const { narrator, text } = narrate({ json: true });
    narrator.step('First', { data: { path: 'a\u009bb' }, lines: [['shown']] });
    narrator.say({ data: { more: 1 }, lines: [['shown']] });
    const lines = text().trimEnd().split('\n');
    expect(text()).not.toContain('\u009b');
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { type: 'demo', step: 1, title: 'First', path: 'a\u009bb' },
      { type: 'demo', step: 1, more: 1 },
    ]);
  });

  it('pauses only where somebody reads along, and no longer than until it is interrupted', async () => {
    await narrate().narrator.pause(1_000_000);
    await narrate({ paused: true, json: true }).narrator.pause(1_000_000);
    const ended = new AbortController();
    const pause = narrate({ paused: true, signal: ended.signal }).narrator.pause(1_000_000);
    ended.abort();
    await pause;
    await narrate({ paused: true }).narrator.pause(1);
    await narrate({ paused: true, signal: ended.signal }).narrator.pause(1_000_000);
    expect(ended.signal.aborted).toBe(true);
  });
});
