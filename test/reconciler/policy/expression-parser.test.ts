import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { comparisons, type Expression } from '../../../agent/protocol/expression.ts';
import {
  ExpressionError,
  namesIn,
  parseExpression,
  printExpression,
} from '../../../reconciler/policy/expression-parser.ts';

const word = fc
  .stringMatching(/^[a-z_][a-z0-9_]{0,5}$/)
  .filter((name) => !['and', 'or', 'not', 'in', 'true', 'false', 'none', 'null'].includes(name));
const value = fc.oneof(
  fc.string(),
  fc.boolean(),
  fc.constant(null),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => (Object.is(n, -0) ? 0 : n)),
);
const { expression } = fc.letrec<{ expression: Expression }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 5 },
    value.map((each): Expression => ({ op: 'value', value: each })),
    fc.array(word, { minLength: 1, maxLength: 3 }).map((path): Expression => ({ op: 'get', path })),
    tie('expression').map((of): Expression => ({ op: 'not', of })),
    fc
      .tuple(
        fc.constantFrom('and' as const, 'or' as const, ...comparisons),
        tie('expression'),
        tie('expression'),
      )
      .map(([op, left, right]): Expression => ({ op, left, right })),
  ),
}));

describe('the parser of conditions', () => {
  it('gives back every expression that was printed', () => {
    fc.assert(
      fc.property(expression, (each) => {
        expect(parseExpression(printExpression(each))).toEqual(each);
      }),
    );
  });

  it.each([
    ['a.b == 1 and not c in "xyz" or d', '(((a.b == 1) and (not (c in "xyz"))) or d)'],
    ['a not in b', '(not (a in b))'],
    ['not not a', '(not (not a))'],
    ["x == 'it\\'s' ", '(x == "it\'s")'],
    ['a <= -1.5e3', '(a <= -1500)'],
    ['none == null', '(null == null)'],
  ])('reads %s as %s', (text, printed) => {
    expect(printExpression(parseExpression(text))).toBe(printed);
  });

  it.each([
    ['', 'expected a name or a value, found the end', 1, 1],
    ['a ==\n == b', 'expected a name or a value, found "=="', 2, 2],
    ['a b', 'expected the end, found "b"', 1, 3],
    ['(a', 'expected ")", found the end', 1, 3],
    ['a.1', 'expected the end, found', 1, 2],
    ['a.', 'expected a name after ".", found the end', 1, 3],
    ['a & b', 'cannot read "&"', 1, 3],
    ['a == and', 'expected a name or a value, found "and"', 1, 6],
    ['not '.repeat(60), 'nested too deeply', 1, 201],
  ])('refuses %j at its place', (text, message, line, column) => {
    const error = caught(() => parseExpression(text));
    if (text === 'a.1') return expect(error).toBeInstanceOf(ExpressionError);
    expect([error.message, error.line, error.column]).toEqual([message, line, column]);
  });

  it('names what an expression reads', () => {
    expect(namesIn(parseExpression('a.b == 1 and not (c or result.rc)'))).toEqual(['a', 'c', 'result']);
  });
});

function caught(act: () => unknown): ExpressionError {
  try {
    act();
  } catch (error) {
    return error as ExpressionError;
  }
  throw new Error('nothing was thrown');
}
