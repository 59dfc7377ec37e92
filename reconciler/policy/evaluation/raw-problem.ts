/**
 * Problems as the worker states them.
 * Invariant: what role code threw becomes one, with the first place in the role's code.
 * Never carries a stack text on.
 */

import { type Draft, positionIn, type RawPosition } from '../authoring/draft.ts';
import type { RawProblem } from './messages.ts';
import { NotDeterministic } from './sandbox.ts';

/** Longest text of a thrown error that is shown. */
const longestMessage = 500;

/** A problem of one resource, at the place that declares it. */
export function resourceProblem(draft: Draft, code: RawProblem['code'], message: string): RawProblem {
  return { code, message: `${draft.id}: ${message}`, position: draft.position, resource: draft.id };
}

/** What role code threw. `doing` says what Towline asked of it. */
export function thrownProblem(thrown: unknown, doing: string, position: RawPosition | undefined): RawProblem {
  const error = thrown as { readonly message?: unknown; readonly stack?: unknown } | null | undefined;
  const message = String(error?.message ?? thrown).slice(0, longestMessage);
  const at = (typeof error?.stack === 'string' ? positionIn(error.stack) : undefined) ?? position;
  if (thrown instanceof NotDeterministic) return { code: 'policy.not-deterministic', message, position: at };
  return { code: 'policy.role-failed', message: `${doing}: ${message}`, position: at };
}
