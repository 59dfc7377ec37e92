/**
 * Problem codes of towline.toml and of binding environments to branches.
 * Invariant: docs/problems.md lists exactly these; a test compares both directions.
 * Never reuse a code for a second meaning.
 */

import { defineProblems, type ProblemKind } from '../../../agent/protocol/problem.ts';

const stalled = (hint: string): ProblemKind => ({ disposition: 'stalled', hint });

export const settingsProblems = {
  'settings.unknown-key': stalled('Correct the key in towline.toml, or remove it.'),
  'settings.bad-value': stalled(
    'Correct the value in towline.toml; docs/guides/environments.md lists what each key takes.',
  ),
  'settings.missing-branch': stalled('Push the branch, or name one that exists in towline.toml.'),
  'settings.name-clash': stalled('Rename one of the two environments in towline.toml.'),
  'settings.host-claimed-twice': stalled(
    'Take the host out of one of the inventories, or end one of the environments: one host follows one branch.',
  ),
} as const satisfies Record<string, ProblemKind>;

export type SettingsProblemCode = keyof typeof settingsProblems;

/** Makes a problem with one of these codes. */
export const settingsProblem = defineProblems<SettingsProblemCode>(settingsProblems);
