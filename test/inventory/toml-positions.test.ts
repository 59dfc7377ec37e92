import fc from 'fast-check';
import { parse } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import {
  findNode,
  indexPositions,
  type PositionNode,
  type TomlPath,
} from '../../inventory/toml-positions.ts';

function* nodes(node: PositionNode, path: TomlPath = []): Generator<[TomlPath, PositionNode]> {
  yield [path, node];
  for (const [name, child] of node.children ?? []) yield* nodes(child, [...path, name]);
  for (const [index, item] of (node.items ?? []).entries()) yield* nodes(item, [...path, index]);
}

function paths(value: unknown, path: TomlPath = []): TomlPath[] {
  if (Array.isArray(value)) return value.flatMap((item, i) => [[...path, i], ...paths(item, [...path, i])]);
  if (typeof value !== 'object' || value === null || value instanceof Date) return [];
  return Object.entries(value).flatMap(([key, below]) => [[...path, key], ...paths(below, [...path, key])]);
}

/** Reads the key that is written at an offset, with the TOML parser itself. */
function keyAt(text: string, offset: number): string {
  const rest = text.slice(offset);
  const written = /^(?:"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[A-Za-z0-9_-]+)/.exec(rest)?.[0] ?? '';
  return Object.keys(parse(`${written} = 1`))[0] ?? '';
}

const name = fc.oneof(
  fc.stringMatching(/^[A-Za-z0-9_-]{1,8}$/),
  fc.string({ unit: 'grapheme', maxLength: 6 }),
  fc.constantFrom('a.b', '=', '#x', '"', "it's", '[x]', '\n', '\u0000', '}'),
);
const leaf = fc.constantFrom(
  '1',
  'true',
  '"# no ] } comment"',
  "'lit\"'",
  '1979-05-27 07:32:00',
  '"""a\n]"" }\\""""',
  "'''x\n''y'''",
  '-inf',
  '""',
  '""""""',
  '"""x"""""',
  '[]',
  '{}',
);
const blank = fc.constantFrom('', ' ', '\t', '  ');
const gap = fc.constantFrom('', ' ', '\n', '\r\n# note ] , "\n', '\n\n  ');

function writtenKey(key: string): fc.Arbitrary<string> {
  const basic = JSON.stringify(key).replaceAll('\u007f', '\\u007f');
  const forms = [basic];
  if (/^[A-Za-z0-9_-]+$/.test(key)) forms.push(key);
  if (/^[^'\u0000-\u001f\u007f]*$/.test(key)) forms.push(`'${key}'`);
  return fc.constantFrom(...forms);
}

const { value, pairs } = fc.letrec<{ value: string; pairs: string[]; table: string; array: string }>(
  (tie) => ({
    value: fc.oneof({ depthSize: 'small' }, leaf, tie('table'), tie('array')),
    pairs: fc
      .uniqueArray(name, { maxLength: 4 })
      .chain((keys) =>
        fc.tuple(
          ...keys.map((key) =>
            fc
              .tuple(writtenKey(key), blank, tie('value') as fc.Arbitrary<string>)
              .map(([k, b, v]) => `${k}${b}=${b}${v}`),
          ),
        ),
      ),
    table: fc
      .tuple(tie('pairs') as fc.Arbitrary<string[]>, gap)
      .map(([p, g]) => `{${g}${p.join(`${g},${g}`)}${g}}`),
    array: fc
      .tuple(fc.array(tie('value') as fc.Arbitrary<string>, { maxLength: 3 }), gap)
      .map(([items, g]) => `[${g}${items.join(`${g},${g}`)}${g}]`),
  }),
);

const section = fc
  .tuple(fc.array(name, { minLength: 1, maxLength: 3 }), fc.boolean(), pairs, blank)
  .chain(([path, isArray, body, b]) =>
    fc.tuple(...path.map(writtenKey)).map((keys) => {
      const header = keys.join(`${b}.${b}`);
      return `${isArray ? `[[${b}${header}${b}]]` : `[${b}${header}${b}] # c`}\n${b}${body.join(`\n${b}`)}\n`;
    }),
  );
const dotted = fc
  .tuple(fc.array(name, { minLength: 2, maxLength: 3 }), value, blank)
  .chain(([path, v, b]) => fc.tuple(...path.map(writtenKey)).map((k) => `${k.join(`${b}.${b}`)} = ${v}\n`));
const documents = fc
  .tuple(pairs, fc.array(dotted, { maxLength: 2 }), fc.array(section, { maxLength: 4 }))
  .map(([top, dots, sections]) => `${top.map((p) => `${p}\n`).join('')}${dots.join('')}${sections.join('')}`);

function parses(text: string): boolean {
  try {
    parse(text);
    return true;
  } catch {
    return false;
  }
}

describe('positions of TOML keys', () => {
  it('finds exactly the keys and items that the parser finds, each where it is written', () => {
    let checked = 0;
    fc.assert(
      fc.property(documents, (text) => {
        fc.pre(parses(text));
        const root = indexPositions(text);
        const wanted = paths(parse(text))
          .map((path) => JSON.stringify(path))
          .sort();
        const found = [...nodes(root)].filter(([path]) => path.length > 0);
        expect(found.map(([path]) => JSON.stringify(path)).sort()).toEqual(wanted);
        for (const [path, node] of found) {
          const last = path.at(-1);
          if (typeof last === 'string') expect(keyAt(text, node.offset)).toBe(last);
        }
        checked += found.length;
      }),
      { numRuns: 1500 },
    );
    expect(checked).toBeGreaterThan(1000);
  });

  it('points at the first mention of a table and at each item of an array of tables', () => {
    const text = '[[a.b]]\nx = 1\n[[a.b]]\n[a.b.c]\ny.z = 2\n';
    const root = indexPositions(text);
    const at = (...path: TomlPath) => findNode(root, path)?.offset;
    expect(at('a')).toBe(2);
    expect(at('a', 'b')).toBe(4);
    expect(at('a', 'b', 1)).toBe(text.indexOf('b]]', 10));
    expect(at('a', 'b', 1, 'c', 'y', 'z')).toBe(text.indexOf('z'));
    expect(at('a', 'b', 0, 'c')).toBeUndefined();
  });

  it('tells a step of a dotted assignment from a key that is defined itself', () => {
    const root = indexPositions('a.b = 1\n[c.d]\n');
    expect(findNode(root, ['a'])).toMatchObject({ dotted: true, defined: false });
    expect(findNode(root, ['a', 'b'])).toMatchObject({ dotted: false, defined: true });
    expect(findNode(root, ['c'])).toMatchObject({ dotted: false, defined: false });
    expect(findNode(root, ['c', 'd'])).toMatchObject({ defined: true });
  });

  it('ends on text that is no TOML at all', () => {
    fc.assert(fc.property(fc.string(), (text) => indexPositions(text).offset === 0));
  });
});
