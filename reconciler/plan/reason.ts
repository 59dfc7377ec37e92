/**
 * Why a pair is affected: what its evaluation read then and reads now, compared.
 * Invariant: names the most telling difference; says `never-applied` only when the ledger has nothing.
 * Pure.
 */

import type { Affected, Reason } from '../base/event.ts';
import type { FailedAttempt, LedgerEntry } from '../base/ledger.ts';
import type { Desired } from './affected.ts';

/** What is known of a pair's past. */
export interface Past {
  readonly entry: Pick<LedgerEntry, 'digest' | 'inputs'> | undefined;
  readonly failed: Pick<FailedAttempt, 'digest' | 'problem'> | undefined;
  readonly drift: boolean;
}

/** The reason a pair is in a plan, with the file, variable or fact that changed. */
export function reasonFor(desired: Desired, past: Past): Affected {
  const { host, role } = desired;
  const { entry, failed, drift } = past;
  if (failed !== undefined && failed.digest === desired.digest) {
    return { host, role, reason: 'failed-before', detail: failed.problem.message };
  }
  if (entry === undefined) return { host, role, reason: 'never-applied' };
  if (entry.digest === desired.digest) {
    if (failed === undefined || drift) return { host, role, reason: drift ? 'drift-check' : 'forced' };
    return { host, role, reason: 'failed-before', detail: failed.problem.message };
  }
  const changed = changedInputs(entry.inputs, desired.inputs);
  const [first = 'source'] = changed;
  const more = changed.length > 1 ? ` and ${changed.length - 1} more` : '';
  return { host, role, reason: reasonOf(first), detail: `${first}${more}` };
}

/** Inputs whose fingerprints differ, role code and files first, then variables, then facts. */
export function changedInputs(
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
): readonly string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names]
    .filter((name) => before[name] !== after[name])
    .sort((a, b) => weight(a) - weight(b) || (a < b ? -1 : 1));
}

function reasonOf(input: string): Reason {
  if (input.startsWith('variables.') || input.startsWith('host.')) return 'variables-changed';
  return input.startsWith('facts.') ? 'facts-changed' : 'policy-changed';
}

function weight(input: string): number {
  if (input.startsWith('file:')) return 0;
  if (input === 'source') return 1;
  return input.startsWith('facts.') ? 3 : 2;
}
