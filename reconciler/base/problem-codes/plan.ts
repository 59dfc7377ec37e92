/**
 * Problem codes of planning and rolling out.
 * Invariant: docs/problems.md lists exactly these; a test compares both directions.
 * Never reuse a code for a second meaning.
 */

import { defineProblems, type ProblemKind } from '../../../agent/protocol/problem.ts';

export const planProblems = {
  'plan.role-cycle': { disposition: 'stalled', hint: 'Remove one of the `after` entries of these roles.' },
  'plan.unknown-environment': {
    disposition: 'stalled',
    hint: 'Name one of the environments that towline.toml declares, or push the branch it follows.',
  },
  'plan.no-environment': {
    disposition: 'stalled',
    hint: 'Add an [environments.NAME] table to towline.toml.',
  },
  'plan.inventory-missing': {
    disposition: 'stalled',
    hint: 'Correct `inventory` of the environment, or add the file.',
  },
  'rollout.budget-spent': {
    disposition: 'stalled',
    hint: 'Mend the failed hosts or the role; hosts not reached yet keep their last state until the next run.',
  },
  'rollout.cancelled': {
    disposition: 'retry',
    hint: 'The run was stopped from here; the next run continues where it is needed.',
  },
  'rollout.superseded': {
    disposition: 'retry',
    hint: 'A newer run takes over from here; nothing needs to be done.',
  },
  'rollout.host-not-clean': {
    disposition: 'wait',
    hint: 'The host failed an earlier role of this run; this role follows when that one is in force.',
  },
  'rollout.internal': {
    disposition: 'defect',
    hint: 'This is a defect of the reconciler; please report it with the text above.',
  },
} as const satisfies Record<string, ProblemKind>;

export type PlanProblemCode = keyof typeof planProblems;

/** Makes a problem with one of planning's codes. */
export const planProblem = defineProblems<PlanProblemCode>(planProblems);
