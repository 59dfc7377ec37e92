/**
 * Problem codes of loading and evaluating a policy.
 * Invariant: docs/problems.md lists exactly these; a test compares both directions.
 * Never reuse a code for a second meaning.
 */

import { defineProblems, type ProblemKind } from '../../../agent/protocol/problem.ts';

const stalled = (hint: string): ProblemKind => ({ disposition: 'stalled', hint });

export const policyProblems = {
  'policy.role-missing': stalled('Make roles/<name>/role.ts, or take the role out of towline.toml.'),
  'policy.syntax': stalled('Correct the code at this place.'),
  'policy.import-refused': stalled(
    'Role code may import "towline" and files of the policy by relative path; read data files with data().',
  ),
  'policy.import-missing': stalled('Correct the path of the import, or add the file.'),
  'policy.not-a-role': stalled('Let the file end in: export default defineRole({ … }).'),
  'policy.bad-role': stalled('Correct what is given to defineRole; docs/guides/write-a-role.md shows it.'),
  'policy.role-failed': stalled('Correct the role: its code threw this error.'),
  'policy.not-deterministic': stalled(
    'A plan may depend on variables, facts and files only; do it on the host with a command, or use a variable.',
  ),
  'policy.timeout': stalled('Correct the loop; evaluating a role for a host takes milliseconds.'),
  'policy.out-of-memory': stalled('Let the role build less at once; evaluation has a memory limit.'),
  'policy.worker-lost': {
    disposition: 'retry',
    hint: 'The process that evaluates roles ended; a new one is started for the next evaluation.',
  },
  'policy.fact-missing': stalled(
    'See which problem `towline facts` shows for this host, or do not read the fact.',
  ),
  'policy.not-a-resource': stalled('Return what file(), pkg() and the other helpers give, or lists of it.'),
  'policy.unknown-parameter': stalled('Correct the name of the parameter, or remove it.'),
  'policy.bad-parameter': stalled('Correct the value of the parameter; your editor shows what it takes.'),
  'policy.bad-expression': stalled(
    'Conditions compare registered results: "probe.rc == 0 and not other.changed".',
  ),
  'policy.unknown-result': stalled('Let an earlier resource register a result under this name.'),
  'policy.unknown-handler': stalled('Add the handler to the role, or correct the name in notify.'),
  'policy.duplicate-resource': stalled('Merge the two resources, or give one of them another name.'),
  'policy.unknown-requirement': stalled('Name a resource of this role by its id, such as package:nginx.'),
  'policy.requires-cycle': stalled('Take one requires out of the circle.'),
  'policy.file-missing': stalled('Add the file to the policy, or correct its path.'),
  'policy.data-invalid': stalled('Correct the data file at this place.'),
  'policy.template-syntax': stalled('Correct the template at this place.'),
  'policy.template-failed': stalled(
    'Give the name a value in vars of the template or in variables of the role.',
  ),
  'policy.template-undefined': stalled(
    'Nothing gives this name a value; define it, or write `is defined` or `| default(…)` where it may be missing.',
  ),
} as const satisfies Record<string, ProblemKind>;

export type PolicyProblemCode = keyof typeof policyProblems;

/** Makes a problem with one of these codes. */
export const policyProblem = defineProblems<PolicyProblemCode>(policyProblems);
