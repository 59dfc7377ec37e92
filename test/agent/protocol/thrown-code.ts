/**
 * What an act throws, as its code.
 * Invariant: anything but a ProblemError fails the test that asked.
 * Never swallows an error.
 */

import { ProblemError } from '../../../agent/protocol/problem.ts';

/** The code of the problem that an act throws; `none` when it throws nothing. */
export function thrownCode(act: () => unknown): string {
  try {
    act();
    return 'none';
  } catch (error) {
    if (error instanceof ProblemError) return error.problem.code;
    throw error;
  }
}
