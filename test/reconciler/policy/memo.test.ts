import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../../agent/protocol/json.ts';
import { createAnswerer } from '../../../reconciler/policy/evaluation/answer.ts';
import type { Reply, RoleCode } from '../../../reconciler/policy/evaluation/messages.ts';
import { Memo } from '../../../reconciler/policy/memo.ts';
import { ReadLog, readValue, tracked } from '../../../reconciler/policy/tracking.ts';
import { subjectOf } from './fixtures.ts';

type Variables = Record<string, Json>;
const leaf = fc.oneof(
  fc.integer({ min: 0, max: 2 }),
  fc.boolean(),
  fc.constantFrom('a', 'b'),
  fc.constant(null),
);
const json: fc.Arbitrary<Json> = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 2 },
    leaf,
    fc.array(leaf, { maxLength: 2 }),
    fc.dictionary(fc.constantFrom('x', 'y'), tie('json'), { maxKeys: 2 }),
  ),
})).json;
const variables = fc.dictionary(fc.constantFrom('a', 'b', 'c'), json, {
  maxKeys: 3,
}) as fc.Arbitrary<Variables>;
/** What a program reads: a path, then on by what it found there. */
const program = fc.array(
  fc.record({
    path: fc.array(fc.constantFrom('a', 'b', 'c', 'x', 'y'), { minLength: 1, maxLength: 3 }),
    how: fc.constantFrom('get', 'in', 'keys'),
  }),
  { maxLength: 5 },
);
type Program = typeof program extends fc.Arbitrary<infer P> ? P : never;

function look(of: Variables) {
  return (_: string, steps: readonly string[]): Json | undefined => {
    let here: Json | undefined = of;
    for (const step of steps) {
      if (here === null || typeof here !== 'object' || !Object.hasOwn(here, step)) return undefined;
      here = (here as Variables)[step];
    }
    return here;
  };
}

/** A deterministic program over tracked data: stops early by what it sees, as role code does. */
function run(steps: Program, data: object): string {
  const seen: unknown[] = [];
  for (const { path, how } of steps) {
    let here: unknown = data;
    for (const step of path) {
      if (here === null || typeof here !== 'object' || Array.isArray(here)) break;
      if (how === 'in') seen.push(step in here);
      here = (here as Variables)[step];
    }
    if (how === 'keys' && here !== null && typeof here === 'object' && !Array.isArray(here))
      seen.push(Object.keys(here));
    seen.push(here !== null && typeof here === 'object' && !Array.isArray(here) ? 'object' : here);
    if (here === true) break;
  }
  return JSON.stringify(seen);
}

describe('tracked data and the memo over it', () => {
  it('gives for any values what a fresh run gives', () => {
    fc.assert(
      fc.property(program, fc.array(variables, { minLength: 1, maxLength: 12 }), (steps, hosts) => {
        const memo = new Memo<{ text: string }>();
        for (const host of hosts) {
          const found = memo.find(look(host) as never);
          const log = new ReadLog();
          const fresh = run(steps, tracked(log, 'variables', host));
          if ('answer' in found) expect(found.answer.text).toBe(fresh);
          else memo.add(log.reads, { text: fresh });
          expect('answer' in memo.find(look(host) as never)).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('does not run again when only what was not read changes, and does when a read value changes', () => {
    fc.assert(
      fc.property(program, variables, json, (steps, host, other) => {
        const memo = new Memo<string>();
        const log = new ReadLog();
        memo.add(
          log.reads.length === 0 && run(steps, tracked(log, 'variables', host)) !== '' ? log.reads : [],
          'known',
        );
        expect(memo.find(look({ ...host, unread: other }) as never)).toHaveProperty(
          'answer',
          log.reads.some(({ keys, steps }) => keys && steps.length === 0) ? undefined : 'known',
        );
        const read = log.reads.find(({ steps }) => steps.length === 1);
        if (read === undefined) return;
        const changed = { ...host, [read.steps[0] as string]: 'something new' };
        expect('answer' in memo.find(look(changed) as never)).toBe(false);
      }),
    );
  });

  it('starts anew at its limit', () => {
    const memo = new Memo<number>(2);
    const add = (value: number): boolean =>
      memo.add([{ root: 'variables', steps: ['a'], keys: false, value: readValue(value) }], value);
    expect([add(1), add(2), add(3), memo.size]).toEqual([false, false, true, 1]);
  });

  it('refuses to be written', () => {
    const data = tracked(new ReadLog(), 'variables', { a: { b: 1 } }) as { a: { b?: number } };
    expect(() => {
      data.a.b = 2;
    }).toThrow('variables are read-only: b cannot be set');
    expect(() => delete data.a.b).toThrow('read-only');
    expect({ ...data.a }).toEqual({ b: 1 });
    expect(JSON.stringify(data)).toBe('{"a":{"b":1}}');
  });
});

describe('the answerer', () => {
  it('gives every evaluation fresh modules, so nothing leaks from one host to the next', () => {
    const code = `const { defineRole, echo } = require('towline'); let count = 0;
      module.exports.default = defineRole({ resources: () => [echo('call ' + ++count)] });`;
    const role: RoleCode = { name: 'web', sourceDigest: 'd', code };
    const subject = { ...subjectOf('a'), variables: {} };
    const request = {
      type: 'evaluate',
      role,
      subjects: [subject, subject],
      files: { files: new Map(), trees: new Map() },
    } as const;
    const replies: Reply[] = [...createAnswerer()(request)];
    const ids = replies.map((reply) =>
      reply.type === 'evaluated' && 'result' in reply.outcome && reply.outcome.result.kind === 'plan'
        ? reply.outcome.result.plan.resources[0]?.id
        : reply,
    );
    expect(ids).toEqual(['echo:call 1', 'echo:call 1']);
  });
});
