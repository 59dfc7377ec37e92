/**
 * Conditions as data: parsed on the controller, decided on the host, so a condition on a registered result costs no round trip.
 * Invariant: evaluation is total and three-valued; what is not known yet is `unknown`, never false.
 * Pure; never evaluates text.
 */

import { isDeepStrictEqual } from 'node:util';
import type { Json } from './json.ts';
import * as z from './schema.ts';

export const comparisons = ['==', '!=', '<', '<=', '>', '>=', 'in'] as const;
export type Comparison = (typeof comparisons)[number];

export type Expression =
  | { readonly op: 'value'; readonly value: Json }
  | { readonly op: 'get'; readonly path: readonly string[] }
  | { readonly op: 'not'; readonly of: Expression }
  | { readonly op: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | { readonly op: Comparison; readonly left: Expression; readonly right: Expression };

export const expressionSchema: z.Schema<Expression> = z.lazy(() =>
  z.variants('op', [
    z.object({ op: z.literal('value'), value: z.json }),
    z.object({ op: z.literal('get'), path: z.array(z.string) }),
    z.object({ op: z.literal('not'), of: expressionSchema }),
    z.object({ op: z.oneOf(['and', 'or', ...comparisons]), left: expressionSchema, right: expressionSchema }),
  ]),
) as z.Schema<Expression>;

/** Stands for a value that a dry run cannot know. */
export const unknownValue: unique symbol = Symbol('unknown');
export type Evaluated = Json | undefined | typeof unknownValue;

/** Looks up the first step of a path: a registered name, or `result` for the resource's own result. */
export type Scope = (name: string) => Evaluated;

/** The value of an expression; a missing member is undefined, a member of something unknown is unknown. */
export function evaluateExpression(expression: Expression, scope: Scope): Evaluated {
  switch (expression.op) {
    case 'value':
      return expression.value;
    case 'get':
      return lookUp(expression.path, scope);
    case 'not': {
      const inner = truth(evaluateExpression(expression.of, scope));
      return inner === unknownValue ? unknownValue : !inner;
    }
    case 'and':
    case 'or':
      return combine(expression.op, expression.left, expression.right, scope);
    default:
      return compare(
        expression.op,
        evaluateExpression(expression.left, scope),
        evaluateExpression(expression.right, scope),
      );
  }
}

/** Whether a value counts as true: false, null, undefined, 0, '' and empty lists do not (as in the template language). */
export function truth(value: Evaluated): boolean | typeof unknownValue {
  if (value === unknownValue) return unknownValue;
  if (Array.isArray(value)) return value.length > 0;
  return Boolean(value);
}

function lookUp(path: readonly string[], scope: Scope): Evaluated {
  let value: Evaluated = scope(path[0] ?? '');
  for (const step of path.slice(1)) {
    if (value === unknownValue) return unknownValue;
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, step)) return undefined;
    value = (value as Readonly<Record<string, Json>>)[step];
  }
  return value;
}

function combine(op: 'and' | 'or', left: Expression, right: Expression, scope: Scope): Evaluated {
  const decides = op === 'or';
  const first = truth(evaluateExpression(left, scope));
  if (first === decides) return decides;
  const second = truth(evaluateExpression(right, scope));
  if (second === decides) return decides;
  return first === unknownValue || second === unknownValue ? unknownValue : !decides;
}

function compare(op: Comparison, left: Evaluated, right: Evaluated): Evaluated {
  if (left === unknownValue || right === unknownValue) return unknownValue;
  switch (op) {
    case '==':
      return same(left, right);
    case '!=':
      return !same(left, right);
    case 'in':
      if (typeof right === 'string') return typeof left === 'string' && right.includes(left);
      return Array.isArray(right) && right.some((item) => same(left, item));
    default:
      return ordered(op, left, right);
  }
}

function ordered(op: '<' | '<=' | '>' | '>=', left: Evaluated, right: Evaluated): boolean {
  const numbers = typeof left === 'number' && typeof right === 'number';
  const strings = typeof left === 'string' && typeof right === 'string';
  if (!numbers && !strings) return false;
  const [a, b] = [left as number, right as number];
  if (a === b) return op.endsWith('=');
  return op.startsWith('<') ? a < b : a > b;
}

function same(left: Evaluated, right: Evaluated): boolean {
  return left === right || isDeepStrictEqual(left, right);
}
