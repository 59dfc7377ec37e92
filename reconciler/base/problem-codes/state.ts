/**
 * Problem codes of the state directory and the database in it.
 * Invariant: docs/problems.md lists exactly these; a test compares both directions.
 * Never reuse a code for a second meaning.
 */

import { defineProblems, type ProblemKind } from '../../../agent/protocol/problem.ts';

const stalled = (hint: string): ProblemKind => ({ disposition: 'stalled', hint });

export const stateProblems = {
  'state.in-use': {
    disposition: 'wait',
    hint: 'One reconciler writes to a state directory: stop the other one, or give this one its own with --state.',
  },
  'state.newer-schema': stalled(
    'A newer Towline has written this state; run that version, or begin with an empty state directory.',
  ),
  'state.older-schema': stalled(
    'This state is from an older Towline; start `towline run` or `towline apply` once, which brings it up to date.',
  ),
  'state.migration-failed': stalled(
    'The state is as it was before; keep a copy of the directory and report the message.',
  ),
  'state.not-permitted': stalled(
    'Give the account that runs Towline the state directory (chown), or choose another one with --state.',
  ),
  'state.network-file-system': stalled(
    'SQLite’s locks are not safe on network file systems; put the state directory on a local disk.',
  ),
  'state.disk-full': stalled(
    'Free space where the state directory is, or drop old runs; what was written before is intact.',
  ),
  'state.corrupt': stalled(
    'Restore the directory from a backup, or move it away: without it every role is applied once more, which changes nothing on hosts that are right.',
  ),
  'state.read-only': {
    disposition: 'defect',
    hint: 'Something tried to write through a store that was opened for reading; please report it.',
  },
  'state.busy': {
    disposition: 'retry',
    hint: 'Another process holds the database for a moment (a backup, perhaps); it is tried again.',
  },
  'state.failed': stalled('The database refused; its message says why. Check the disk and its log.'),
} as const satisfies Record<string, ProblemKind>;

export type StateProblemCode = keyof typeof stateProblems;

/** Makes a problem with one of the state codes. */
export const stateProblem = defineProblems<StateProblemCode>(stateProblems);
