/**
 * Every (host, role) whose desired digest differs from the last digest successfully applied, and what is no longer wanted.
 * Invariant: never the git diff; a pair whose last try failed is never current, because that try may have changed half of it;
 * a pair is in exactly one list.
 * Pure; 10,000 hosts × 50 roles pass through here, so a pair that needs nothing costs one look-up.
 */

import { canonicalJson } from '../../agent/protocol/json.ts';
import type { RolePlan } from '../../agent/protocol/plan.ts';
import type { Place, Problem } from '../../agent/protocol/problem.ts';
import type { Evaluation } from '../policy/model.ts';

/** One pair and what it should be. */
export interface Desired {
  readonly host: string;
  readonly role: string;
  readonly plan: RolePlan;
  readonly digest: string;
  readonly inputs: Readonly<Record<string, string>>;
  readonly places: Readonly<Record<string, Place>>;
}

export interface RoleEvaluations {
  readonly role: string;
  readonly hosts: readonly string[];
  /** One per host, in the same order. */
  readonly evaluations: readonly Evaluation[];
}

export interface Decision {
  /** Pairs to converge, roles in the order given, hosts in inventory order. */
  readonly affected: readonly Desired[];
  /** Pairs that this run need not touch: as they should be by the ledger, or left to another run. */
  readonly current: number;
  /** Pairs whose plan cannot be made before facts of the host are read. */
  readonly needFacts: readonly { readonly host: string; readonly role: string }[];
  /** Pairs applied once, or tried, that nobody wants now. */
  readonly released: readonly { readonly host: string; readonly role: string }[];
  /** Problems of evaluations; any of them keeps the whole revision from being pushed. */
  readonly problems: readonly Problem[];
}

/**
 * Which pairs a run takes: those that differ from the ledger or failed; all of them (forced); or, to look for drift, those
 * that are applied: a pair that still waits for its plan is another run's work.
 */
export const takes = ['differing', 'all', 'applied'] as const;
export type Take = (typeof takes)[number];

export interface DecideInput {
  readonly roles: readonly RoleEvaluations[];
  /** `${host}\n${role}` → applied digest. */
  readonly applied: ReadonlyMap<string, string>;
  /** Keys of pairs whose last try did not succeed. */
  readonly failed: ReadonlySet<string>;
  readonly take: Take;
  /** The hosts this run may touch; undefined: every host. Nothing is released under a limit, nor while looking for drift. */
  readonly limit?: ReadonlySet<string> | undefined;
}

/** Key of a pair in the applied digests. */
export function pairKey(host: string, role: string): string {
  return `${host}\n${role}`;
}

/** Decides what a run has to do. */
export function decide(input: DecideInput): Decision {
  const affected: Desired[] = [];
  const needFacts: { host: string; role: string }[] = [];
  const problems: Problem[] = [];
  let current = 0;
  let known = 0;
  for (const { role, hosts, evaluations } of input.roles) {
    for (let index = 0; index < hosts.length; index += 1) {
      const host = hosts[index] as string;
      const evaluation = evaluations[index] as Evaluation;
      const key = pairKey(host, role);
      if (evaluation.kind === 'not-wanted') continue;
      const applied = input.applied.get(key);
      if (applied !== undefined || input.failed.has(key)) known += 1;
      if (evaluation.kind === 'failed') problems.push(...evaluation.problems);
      else if (evaluation.kind === 'needs-facts') needFacts.push({ host, role });
      else if (isLeft(input, key, applied === evaluation.digest)) current += 1;
      else affected.push(desired(host, role, evaluation));
    }
  }
  const mayRelease = input.limit === undefined && input.take !== 'applied';
  const released = mayRelease && known < knownPairs(input) ? releasedPairs(input) : [];
  return { affected, current, needFacts, released, problems: unique(problems) };
}

/** Places are worked out only for those that somebody shows. */
function desired(host: string, role: string, evaluation: Extract<Evaluation, { kind: 'plan' }>): Desired {
  const { plan, digest, inputs } = evaluation;
  return {
    host,
    role,
    plan,
    digest,
    inputs,
    get places() {
      return evaluation.places;
    },
  };
}

function isLeft({ take, failed }: DecideInput, key: string, isApplied: boolean): boolean {
  switch (take) {
    case 'differing':
      return isApplied && !failed.has(key);
    case 'applied':
      return !isApplied;
    case 'all':
      return false;
  }
}

/** Pairs of which the ledger knows something. */
function knownPairs({ applied, failed }: DecideInput): number {
  let count = applied.size;
  for (const key of failed) if (!applied.has(key)) count += 1;
  return count;
}

function releasedPairs({ roles, applied, failed }: DecideInput): { host: string; role: string }[] {
  const wanted = new Set<string>();
  for (const { role, hosts, evaluations } of roles) {
    for (const [index, host] of hosts.entries()) {
      if (evaluations[index]?.kind !== 'not-wanted') wanted.add(pairKey(host, role));
    }
  }
  const released: { host: string; role: string }[] = [];
  for (const key of new Set([...applied.keys(), ...failed])) {
    if (wanted.has(key)) continue;
    const cut = key.indexOf('\n');
    released.push({ host: key.slice(0, cut), role: key.slice(cut + 1) });
  }
  return released;
}

/** One mistake in a role shows up once, however many hosts it would have met. */
function unique(problems: readonly Problem[]): Problem[] {
  const seen = new Map<string, Problem>();
  for (const problem of problems) {
    const { code, message, where } = problem;
    const key = canonicalJson([code, message, { ...where, host: undefined }]);
    if (!seen.has(key)) seen.set(key, problem);
  }
  return [...seen.values()];
}
