/**
 * A dry run: what it says, what it admits not to know, and that it leaves the host as it was.
 * Invariant: every dry run here is compared with the whole directory before and after.
 * Never a timing assertion.
 */

import { existsSync } from 'node:fs';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Expression } from '../../agent/protocol/expression.ts';
import type { ConvergeResult } from '../../agent/protocol/message.ts';
import type { PlannedHandler, PlannedResource } from '../../agent/protocol/plan.ts';
import { ConvergeHost, command, ends, planOf, resource } from './converge-host.ts';
import { listing } from './test-host.ts';

let host: ConvergeHost;
beforeEach(() => {
  host = new ConvergeHost();
});
afterEach(() => host.remove());

const get = (...path: string[]): Expression => ({ op: 'get', path });
const rcIsZero = (name: string): Expression => ({
  op: '==',
  left: get(name, 'rc'),
  right: { op: 'value', value: 0 },
});

async function check(
  resources: readonly PlannedResource[],
  handlers: readonly PlannedHandler[] = [],
): Promise<ConvergeResult> {
  const before = listing(host.root);
  const result = await host.check(planOf(resources, handlers));
  expect(listing(host.root)).toEqual(before);
  expect(existsSync(host.path('agent'))).toBe(false);
  return result;
}

describe('a dry run', () => {
  it('says what would change, handlers too, and changes nothing', async () => {
    host.write('old', 'old');
    const result = await check(
      [host.file('new', 'x', { notify: ['h'] }), host.file('old', 'new'), host.log('c')],
      [host.handler('h')],
    );
    expect(ends(result)).toEqual([
      'file:new changed',
      'file:old changed',
      'command:c changed',
      'command:h changed',
    ]);
    expect(result.reports[1]?.changes).toEqual([
      expect.objectContaining({ action: 'update', property: 'content' }),
    ]);
  });

  it('does not know what depends on a command that was not run', async () => {
    const result = await check(
      [
        command('ask', 'true', { register: 'asked' }),
        host.file('maybe', 'x', { when: rcIsZero('asked'), notify: ['h'], register: 'second' }),
        host.file('also', 'x', { when: get('second', 'changed') }),
        resource('echo', 'say', { message: [get('asked', 'rc')] }),
      ],
      [host.handler('h')],
    );
    expect(ends(result)).toEqual([
      'command:ask changed',
      'file:maybe unknown',
      'file:also unknown',
      'echo:say unchanged',
      'command:h unknown',
    ]);
    expect(host.events).toContainEqual(expect.objectContaining({ event: 'output', text: '«unknown»\n' }));
  });

  it('knows a condition that one known side decides', async () => {
    const known: Expression = { op: 'value', value: false };
    const result = await check([
      command('ask', 'true', { register: 'asked' }),
      host.file('no', 'x', { when: { op: 'and', left: rcIsZero('asked'), right: known } }),
    ]);
    expect(ends(result)[1]).toBe('file:no skipped');
  });

  it('runs a handler for sure when one of two that notify it would change for sure', async () => {
    const result = await check(
      [
        command('ask', 'true', { register: 'asked' }),
        host.file('maybe', 'x', { when: rcIsZero('asked'), notify: ['h'] }),
        host.file('sure', 'x', { notify: ['h'] }),
      ],
      [host.handler('h')],
    );
    expect(ends(result).at(-1)).toBe('command:h changed');
  });

  it('asks neither guards nor probes', async () => {
    const mark = host.path('mark');
    const result = await check([
      resource('command', 'guarded', { argv: ['touch', mark], unless: ['touch', mark] }),
      command('probe', `touch ${mark}`, { changedWhen: { op: 'value', value: false }, register: 'probed' }),
      host.file('after', 'x', { when: rcIsZero('probed') }),
    ]);
    expect(ends(result)).toEqual(['command:guarded unknown', 'command:probe skipped', 'file:after unknown']);
  });

  it('announces exactly what an apply then does', async () => {
    const name = fc.constantFrom('a', 'b', 'c');
    const one = fc.oneof(
      fc.tuple(name, fc.constantFrom('x', 'y')).map(([file, text]) => ({ file, text })),
      fc.record({ word: name }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(one, { maxLength: 5, selector: (each) => JSON.stringify(each) }),
        async (items) => {
          const files = new Set<string>();
          const resources = items.flatMap((item) => {
            if ('word' in item) return [host.log(item.word, { notify: ['h'] })];
            if (files.has(item.file)) return [];
            files.add(item.file);
            return [host.file(item.file, item.text, { notify: ['h'] })];
          });
          const plan = planOf(
            resources,
            [host.handler('done')].map((each) => ({ ...each, name: 'h' })),
          );
          const announced = await host.check(plan);
          const done = await host.converge(plan);
          expect(ends(announced)).toEqual(ends(done));
        },
      ),
      { numRuns: 25, seed: 7 },
    );
  });
});
