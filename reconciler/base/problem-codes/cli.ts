/**
 * Problem codes of the command line.
 * Invariant: docs/problems.md lists exactly these; a test compares both directions.
 * Never reuse a code for a second meaning.
 */

import { defineProblems, type ProblemKind } from '../../../agent/protocol/problem.ts';

export const cliProblems = {
  'cli.bad-option': { disposition: 'stalled', hint: 'See the command’s --help for the forms it takes.' },
  'cli.unknown-host': { disposition: 'stalled', hint: 'towline inventory lists the hosts there are.' },
  'cli.unknown-run': { disposition: 'stalled', hint: 'towline history lists the runs that are remembered.' },
  'cli.unknown-role': { disposition: 'stalled', hint: 'Name one of the roles of the environment.' },
  'cli.not-empty': { disposition: 'stalled', hint: 'Name a new or empty directory.' },
  'cli.demo-failed': {
    disposition: 'defect',
    hint: 'Run the demo again with --dir DIR, which keeps what it made, and report what you see.',
  },
  'cli.choose-environment': { disposition: 'stalled', hint: 'Say which one with --env.' },
  'cli.nothing-known': {
    disposition: 'stalled',
    hint: 'Facts are learned on the first contact: towline ping reaches the host.',
  },
  'cli.not-confirmed': {
    disposition: 'stalled',
    hint: 'Compare the fingerprints, then say yes at a terminal, or run it again with --yes.',
  },
  'cli.log-unwritable': {
    disposition: 'stalled',
    hint: 'Name another file in [log] of the defaults, or let this account write there.',
  },
} as const satisfies Record<string, ProblemKind>;

export type CliProblemCode = keyof typeof cliProblems;

/** Makes a problem with one of the command line's codes. */
export const cliProblem = defineProblems<CliProblemCode>(cliProblems);
