/**
 * Every (host, role) whose desired digest differs from the last digest successfully applied, and what is no longer wanted.
 * Invariant: never the git diff; a pair whose last try failed is never current, because that try may have changed half of it;
 * a pair is in exactly one list.
 * Pure; 10,000 hosts × 50 roles pass through here, so a pair that needs nothing costs one look-up.
 */

import { canonicalJson } from '../../agent/protocol/json.ts';
import type { RolePlan } from '../../agent/protocol/plan.ts';
import type { Place, Problem } from '../../agent/protocol/problem.ts';
import type { AppliedDigests } from '../base/ledger.ts';
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
  /** Of every pair looked at, and of no other. */
  readonly applied: AppliedDigests;
  /** Pairs whose last try did not succeed. */
  readonly failed: readonly { readonly host: string; readonly role: string }[];
  readonly take: Take;
  /** Pairs that need not be looked at: known to be as they should be. */
  readonly settled?: number | undefined;
  /** The hosts this run may touch; undefined: every host. Nothing is released under a limit, nor while looking for drift. */
  readonly limit?: ReadonlySet<string> | undefined;
}

/** Key of a pair in maps of few pairs. */
export function pairKey(host: string, role: string): string {
  return `${host}\n${role}`;
}

/** Decides what a run has to do. */
export function decide(input: DecideInput): Decision {
  const affected: Desired[] = [];
  const needFacts: { host: string; role: string }[] = [];
  const problems: Problem[] = [];
  const failedOf = hostsByRole(input.failed);
  let current = input.settled ?? 0;
  let known = 0;
  for (const { role, hosts, evaluations } of input.roles) {
    const applied = input.applied.get(role) ?? nothing;
    const failed = failedOf.get(role);
    for (let index = 0; index < hosts.length; index += 1) {
      const host = hosts[index] as string;
      const evaluation = evaluations[index] as Evaluation;
      if (evaluation.kind === 'not-wanted') continue;
      const digest = applied.get(host);
      const hasFailed = failed?.has(host) === true;
      if (digest !== undefined || hasFailed) known += 1;
      if (evaluation.kind === 'failed') problems.push(...evaluation.problems);
      else if (evaluation.kind === 'needs-facts') needFacts.push({ host, role });
      else if (isLeft(input.take, digest === evaluation.digest, hasFailed)) current += 1;
      else affected.push(desired(host, role, evaluation));
    }
  }
  const mayRelease = input.limit === undefined && input.take !== 'applied';
  const released = mayRelease && known < knownPairs(input) ? releasedPairs(input) : [];
  return { affected, current, needFacts, released, problems: unique(problems) };
}

const nothing: ReadonlyMap<string, string> = new Map();

function hostsByRole(pairs: DecideInput['failed']): ReadonlyMap<string, ReadonlySet<string>> {
  const roles = new Map<string, Set<string>>();
  for (const { host, role } of pairs) roles.set(role, (roles.get(role) ?? new Set()).add(host));
  return roles;
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

function isLeft(take: Take, isApplied: boolean, hasFailed: boolean): boolean {
  switch (take) {
    case 'differing':
      return isApplied && !hasFailed;
    case 'applied':
      return !isApplied;
    case 'all':
      return false;
  }
}

/** Pairs of which the ledger knows something. */
function knownPairs({ applied, failed }: DecideInput): number {
  let count = failed.filter(({ host, role }) => applied.get(role)?.has(host) !== true).length;
  for (const hosts of applied.values()) count += hosts.size;
  return count;
}

function releasedPairs({ roles, applied, failed }: DecideInput): { host: string; role: string }[] {
  const released = new Map<string, { host: string; role: string }>();
  const wantedOf = new Map(roles.map((each) => [each.role, wantedHosts(each)]));
  const add = (host: string, role: string): void => {
    if (wantedOf.get(role)?.has(host) !== true) released.set(pairKey(host, role), { host, role });
  };
  for (const [role, hosts] of applied) for (const host of hosts.keys()) add(host, role);
  for (const { host, role } of failed) add(host, role);
  return [...released.values()];
}

/** The hosts that a role is wanted on. */
export function wantedHosts({
  hosts,
  evaluations,
}: Pick<RoleEvaluations, 'hosts' | 'evaluations'>): ReadonlySet<string> {
  return new Set(hosts.filter((_, index) => evaluations[index]?.kind !== 'not-wanted'));
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
