/**
 * Registered results of one converge, and the values of conditions over them.
 * Invariant: in a dry run, a name whose resource would act is unknown, and so is everything that depends on it.
 * Never evaluates text; expressions are data.
 */

import {
  type Evaluated,
  type Expression,
  evaluateExpression,
  truth,
  unknownValue,
} from './protocol/expression.ts';
import type { Json } from './protocol/json.ts';
import type { Registered } from './protocol/outcome.ts';

export type Verdict = boolean | 'unknown';

export class Results {
  readonly known: Record<string, Registered> = {};
  readonly unknown = new Set<string>();

  /** Stores a result, or that it cannot be known (undefined). */
  register(name: string, result: Registered | undefined): void {
    this.unknown.delete(name);
    delete this.known[name];
    if (!result) this.unknown.add(name);
    else this.known[name] = result;
  }

  /** The value of an expression; `own` is what `result` means. */
  value(expression: Expression, own?: Registered): Evaluated {
    return evaluateExpression(expression, (name) => this.#look(name, own));
  }

  /** Whether a condition holds. */
  holds(expression: Expression, own?: Registered): Verdict {
    const verdict = truth(this.value(expression, own));
    return verdict === unknownValue ? 'unknown' : verdict;
  }

  /** The form that kinds see. */
  evaluate(expression: Expression): { readonly value: Json | undefined } | { readonly unknown: true } {
    const value = this.value(expression);
    return value === unknownValue ? { unknown: true } : { value };
  }

  #look(name: string, own: Registered | undefined): Evaluated {
    if (name === 'result' && own) return own as Json;
    if (name === 'results') return this.unknown.size > 0 ? unknownValue : (this.known as Json);
    if (this.unknown.has(name)) return unknownValue;
    return Object.hasOwn(this.known, name) ? (this.known[name] as Json) : undefined;
  }
}
