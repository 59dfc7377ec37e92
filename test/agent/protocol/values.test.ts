/**
 * Secrets that never print, JSON with one text, and the validators' answers.
 * Invariant: every way a value can become text is tried.
 * Never a timing assertion.
 */

import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../../agent/protocol/json.ts';
import * as z from '../../../agent/protocol/schema.ts';
import { openSecret, Secret } from '../../../agent/protocol/secret.ts';

describe('a secret', () => {
  const secret = new Secret('hunter2');

  it('is opened by name only', () => {
    expect(openSecret(secret)).toBe('hunter2');
    expect(() => openSecret(Object.create(Secret.prototype) as Secret)).toThrow(TypeError);
  });

  it('shows its mask wherever it becomes text', () => {
    const shown = [
      String(secret),
      `${secret}`,
      `${secret as unknown as string}-x`,
      JSON.stringify({ secret, list: [secret] }),
      inspect(secret, { showHidden: true, showProxy: true, depth: 9 }),
      inspect({ deep: { secret } }, { showHidden: true, depth: 9 }),
      [secret, secret].join(),
      Object.keys(secret).join(),
      Reflect.ownKeys(secret).join(),
      Object.entries({ ...secret }).join(),
      String(new Error('x', { cause: secret }).cause),
    ];
    for (const text of shown) expect(text).not.toContain('hunter2');
    expect(`${secret}`).toBe('«secret»');
  });

  it('cannot be changed or cloned into something that prints', () => {
    expect(Object.isFrozen(secret)).toBe(true);
    expect(() => openSecret(structuredClone(secret))).toThrow(TypeError);
  });
});

describe('canonical JSON', () => {
  const shuffled = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(shuffled);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .reverse()
        .map(([key, member]) => [key, shuffled(member)]),
    );
  };

  it('is the same for equal values, whatever the order of keys, and reads back as the value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const plain = JSON.parse(JSON.stringify(value)) as unknown;
        const text = canonicalJson(plain);
        expect(canonicalJson(shuffled(plain))).toBe(text);
        expect(JSON.parse(text)).toEqual(plain);
      }),
      { seed: 1 },
    );
  });

  it('sorts keys by code unit and leaves undefined members out', () => {
    expect(canonicalJson({ b: 1, a: undefined, é: 2, A: [null, { z: 1, y: 2 }] })).toBe(
      '{"A":[null,{"y":2,"z":1}],"b":1,"é":2}',
    );
  });

  it.each([[Number.NaN], [Number.POSITIVE_INFINITY], [() => 1], [Symbol('x')], [1n], [[undefined]]])(
    'refuses what JSON has no form for',
    (value) => {
      expect(() => canonicalJson({ value })).toThrow(TypeError);
    },
  );
});

describe('a validator', () => {
  const issuesOf = (schema: z.Schema<unknown>, value: unknown): string[] => {
    const parsed = schema.safeParse(value);
    return parsed.success
      ? []
      : parsed.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`);
  };
  const person = z.object({ name: z.string, age: z.optional(z.number), tags: z.array(z.string) });

  it('tells every issue with its path', () => {
    expect(issuesOf(person, { name: 1, age: 'old', tags: ['a', 2] })).toEqual([
      'name expected text',
      'age expected a number',
      'tags.1 expected text',
    ]);
    expect(issuesOf(person, {})).toEqual(['name is missing', 'tags is missing']);
    expect(issuesOf(person, [])[0]).toBe(' expected a table');
  });

  it('gives only the members it names, and never reads inherited ones', () => {
    const parsed = person.safeParse({ name: 'a', tags: [], more: 1 });
    expect(parsed).toEqual({ success: true, data: { name: 'a', tags: [] } });
    expect(issuesOf(z.object({ toString: z.string }), {})).toEqual(['toString is missing']);
  });

  it('coerces nothing and refuses numbers that are none', () => {
    for (const value of ['1', Number.NaN, Number.POSITIVE_INFINITY, null])
      expect(issuesOf(z.number, value)).toEqual([' expected a number']);
    expect(issuesOf(z.boolean, 1)).toEqual([' expected true or false']);
  });

  it('keeps a record free of prototypes', () => {
    const parsed = z.record(z.number).safeParse(JSON.parse('{"__proto__": 1, "a": 2}'));
    expect(parsed.success && Object.keys(parsed.data)).toEqual(['__proto__', 'a']);
    expect(parsed.success && Object.getPrototypeOf(parsed.data)).toBe(Object.prototype);
  });

  it('tells variants apart by their tag and unions by what fits first', () => {
    const shape = z.variants('kind', [
      z.object({ kind: z.literal('dot') }),
      z.object({ kind: z.oneOf(['line', 'path']), length: z.number }),
    ]);
    expect(issuesOf(shape, { kind: 'path', length: 1 })).toEqual([]);
    expect(issuesOf(shape, { kind: 'line' })).toEqual(['length is missing']);
    expect(issuesOf(shape, { kind: 'blob' })).toEqual(['kind expected dot, line, path']);
    expect(
      issuesOf(
        z.union([z.string, z.array(z.number).check(z.holds(({ length }) => length === 2, 'is no pair'))]),
        [1],
      ),
    ).toEqual([' fits none of the forms it may have']);
  });

  it('checks conditions of values, and of values only', () => {
    const even = z.number.check(z.holds((value) => value % 2 === 0, 'is odd'));
    expect(issuesOf(even, 3)).toEqual([' is odd']);
    expect(issuesOf(even, 'x')).toEqual([' expected a number']);
    expect(issuesOf(z.matching(/^a+$/), 'b')).toEqual([' does not match ^a+$']);
    expect(issuesOf(z.nullable(z.string), null)).toEqual([]);
  });

  it('passes on what is not an issue but a defect', () => {
    const broken = new z.Schema(() => {
      throw new TypeError('a defect');
    });
    expect(() => broken.safeParse(1)).toThrow('a defect');
  });
});
