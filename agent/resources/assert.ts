/**
 * `assert`: goes on only where every expression holds.
 * Invariant: one that is certainly false fails, even beside others a dry run cannot know yet.
 * Never changes the host.
 */

import { type Expression, truth } from '../protocol/expression.ts';
import { refusal } from '../protocol/problem-codes.ts';
import type { Resource } from './resource.ts';

/** Every expression must hold on this host. */
export const assertResource: Resource<'assert'> = {
  async check(_system, wanted, context) {
    let isKnown = true;
    for (const expression of wanted.that) {
      const answer = context.evaluate(expression);
      if ('unknown' in answer) isKnown = false;
      else if (truth(answer.value) !== true) {
        const text = `it does not hold that ${expressionText(expression)}`;
        throw refusal(
          'resource.assertion',
          wanted.message === undefined ? text : `${wanted.message} (${text})`,
        );
      }
    }
    return isKnown ? [] : { unknown: 'it asserts something about results of resources not yet applied' };
  },

  async apply() {
    return undefined;
  },
};

/** An expression as its author could have written it. */
function expressionText(expression: Expression): string {
  switch (expression.op) {
    case 'value':
      return JSON.stringify(expression.value);
    case 'get':
      return expression.path.join('.');
    case 'not':
      return `not (${expressionText(expression.of)})`;
    default:
      return [expression.left, expression.right]
        .map((side) => ('left' in side ? `(${expressionText(side)})` : expressionText(side)))
        .join(` ${expression.op} `);
  }
}
