/**
 * Facts as role code sees them: tracked, and loud where there is nothing to read.
 * Invariant: reading before anybody has read the host's facts ends the evaluation, whatever role code catches.
 * Never hands out null for a fact that could not be read.
 */

import type { Facts } from '../../../agent/protocol/facts.ts';
import type { JsonObject } from '../../../agent/protocol/json.ts';
import { objectMark, type ReadLog, tracked } from '../tracking.ts';
import { EvaluationFailure } from './data-file.ts';

/** `onMissing` is told when facts are read and there are none. */
export function trackedFacts(log: ReadLog, facts: Facts | undefined, onMissing: () => void): object {
  const inner = tracked(log, 'facts', (facts ?? {}) as JsonObject);
  const enter = (): void => {
    if (facts === undefined) {
      log.add('facts', [], { form: 'plain', value: undefined });
      onMissing();
      throw new Error('facts of this host are not known yet');
    }
    log.add('facts', [], { form: 'object', value: objectMark });
  };
  return new Proxy(inner, {
    get: (target, key) => {
      if (typeof key === 'symbol') return undefined;
      enter();
      const value = Reflect.get(target, key);
      if (value !== null) return value;
      throw new EvaluationFailure({
        code: 'policy.fact-missing',
        message: `the fact ${key} could not be read on this host`,
      });
    },
    has: (target, key) => {
      enter();
      return Reflect.has(target, key);
    },
    ownKeys: (target) => {
      enter();
      return Reflect.ownKeys(target);
    },
  });
}
