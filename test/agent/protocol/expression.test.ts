/**
 * Conditions: three values, totality, and paths into results.
 * Invariant: truth tables are written out; everything else is generated.
 * Never a timing assertion.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  comparisons,
  type Evaluated,
  type Expression,
  evaluateExpression,
  expressionSchema,
  truth,
  unknownValue,
} from '../../../agent/protocol/expression.ts';

const get = (...path: string[]): Expression => ({ op: 'get', path });
const scope = (name: string): Evaluated =>
  ({
    yes: true,
    no: false,
    unknown: unknownValue,
    one: 1,
    two: 2,
    a: 'a',
    b: 'b',
    list: ['a', { x: 1, y: 2 }],
    result: { rc: 0, nested: { deep: ['z'] }, flag: null },
  })[name] as Evaluated;
const of = (expression: Expression): Evaluated => evaluateExpression(expression, scope);

const yes = true;
const no = false;
const dunno = unknownValue;

describe('expressions', () => {
  it.each([
    ['and', 'yes', 'yes', yes],
    ['and', 'yes', 'no', no],
    ['and', 'no', 'unknown', no],
    ['and', 'unknown', 'no', no],
    ['and', 'yes', 'unknown', dunno],
    ['and', 'unknown', 'yes', dunno],
    ['and', 'unknown', 'unknown', dunno],
    ['or', 'no', 'no', no],
    ['or', 'no', 'yes', yes],
    ['or', 'yes', 'unknown', yes],
    ['or', 'unknown', 'yes', yes],
    ['or', 'no', 'unknown', dunno],
    ['or', 'unknown', 'no', dunno],
    ['or', 'unknown', 'unknown', dunno],
  ] as const)('%s of %s and %s follows the truth table', (op, left, right, wanted) => {
    expect(of({ op, left: get(left), right: get(right) })).toBe(wanted);
  });

  it('turn true into false and leave unknown unknown', () => {
    expect(['yes', 'no', 'unknown', 'missing'].map((name) => of({ op: 'not', of: get(name) }))).toEqual([
      false,
      true,
      unknownValue,
      true,
    ]);
  });

  it('do not know a comparison or a member of something unknown', () => {
    for (const op of comparisons) {
      expect(of({ op, left: get('unknown'), right: get('one') })).toBe(unknownValue);
      expect(of({ op, left: get('one'), right: get('unknown', 'member') })).toBe(unknownValue);
    }
  });

  it('look into results by path, and find undefined where there is nothing', () => {
    expect(of(get('result', 'rc'))).toBe(0);
    expect(of(get('result', 'nested', 'deep', '0'))).toBe('z');
    for (const path of [
      ['result', 'none', 'deeper'],
      ['result', 'flag', 'x'],
      ['a', 'length'],
      ['result', 'toString'],
    ])
      expect(of(get(...path))).toBeUndefined();
  });

  it('compare numbers with numbers, texts with texts, and nothing else by order', () => {
    const compare = (op: '<' | '<=' | '>' | '>=', left: string, right: string) =>
      of({ op, left: get(left), right: get(right) });
    expect([compare('<', 'one', 'two'), compare('>=', 'two', 'two'), compare('>', 'a', 'b')]).toEqual([
      yes,
      yes,
      no,
    ]);
    expect([compare('<=', 'a', 'b'), compare('<', 'one', 'b'), compare('>', 'missing', 'one')]).toEqual([
      yes,
      no,
      no,
    ]);
  });

  it('find equal what has equal members in any order, and members of lists and texts', () => {
    const value = (json: unknown): Expression => ({ op: 'value', value: json as never });
    expect(of({ op: '==', left: get('list', '1'), right: value({ y: 2, x: 1 }) })).toBe(true);
    expect(of({ op: 'in', left: value({ y: 2, x: 1 }), right: get('list') })).toBe(true);
    expect(of({ op: 'in', left: value('b'), right: value('abc') })).toBe(true);
    expect(of({ op: 'in', left: value(1), right: value('1') })).toBe(false);
    expect(of({ op: 'in', left: value('rc'), right: get('result') })).toBe(false);
    expect(of({ op: '!=', left: get('missing'), right: value(null) })).toBe(true);
    expect(of({ op: '==', left: get('missing'), right: get('missing') })).toBe(true);
  });

  it('count empty values as false', () => {
    expect([false, null, undefined, 0, '', []].map((each) => truth(each as Evaluated))).toEqual(
      Array(6).fill(false),
    );
    expect([true, 1, 'x', [0], {}].map((each) => truth(each as Evaluated))).toEqual(Array(5).fill(true));
    expect(truth(unknownValue)).toBe(unknownValue);
  });

  const { expression } = fc.letrec<{ expression: Expression }>((tie) => ({
    expression: fc.oneof(
      { maxDepth: 5 },
      fc.record({ op: fc.constant('value' as const), value: fc.jsonValue() as fc.Arbitrary<never> }),
      fc.constantFrom('yes', 'no', 'unknown', 'one', 'list', 'missing').map((name) => get(name)),
      fc.record({ op: fc.constant('not' as const), of: tie('expression') }),
      fc.record({
        op: fc.constantFrom('and' as const, 'or' as const, ...comparisons),
        left: tie('expression'),
        right: tie('expression'),
      }),
    ),
  }));

  it('never decide differently once the unknown is known', () => {
    fc.assert(
      fc.property(expression, fc.jsonValue(), (each, known) => {
        const now = evaluateExpression(each, scope);
        const later = evaluateExpression(each, (name) =>
          name === 'unknown' ? (known as Evaluated) : scope(name),
        );
        if (now !== unknownValue) expect(truth(later)).toEqual(truth(now));
      }),
      { seed: 5, numRuns: 2000 },
    );
  });

  it('pass their schema as they are', () => {
    fc.assert(
      fc.property(expression, (each) => {
        const plain = JSON.parse(JSON.stringify(each)) as unknown;
        expect(expressionSchema.safeParse(plain)).toEqual({ success: true, data: plain });
      }),
      { seed: 6 },
    );
  });
});
