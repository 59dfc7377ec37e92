/**
 * Which pairs a plan has to look at, and which it knows to be as they should be from an earlier look.
 * Invariant: a pair is passed over only when all that its evaluation can read, and all that the ledger knows of it, is as it was
 * when it was found settled; in doubt a pair is looked at.
 * Pure.
 */

import type { LedgerMoment, PairsOf, Settled, SettledRole } from '../base/ledger.ts';
import { type RoleEvaluations, wantedHosts } from './affected.ts';

/** Roles and hosts as they are now. */
export interface Present {
  readonly roles: ReadonlyMap<string, SettledRole>;
  /** Host → fingerprint of it and its facts. */
  readonly hosts: ReadonlyMap<string, string>;
}

/** Pairs to look at: every host of these roles, every role of these hosts. Undefined: all pairs there are. */
export function openPairs(settled: Settled, { roles, hosts }: Present): PairsOf | undefined {
  const openRoles = new Set<string>();
  for (const [role, { fingerprint }] of roles)
    if (fingerprint === '' || settled.roles.get(role)?.fingerprint !== fingerprint) openRoles.add(role);
  const changedRoles = openRoles.size;
  for (const role of settled.roles.keys()) if (!roles.has(role)) openRoles.add(role);
  const openHosts = new Set<string>();
  for (const [host, fingerprint] of hosts) if (settled.hosts.get(host) !== fingerprint) openHosts.add(host);
  const changedHosts = openHosts.size;
  for (const host of settled.hosts.keys()) if (!hosts.has(host)) openHosts.add(host);
  const isMost = changedRoles === roles.size || 2 * changedHosts > hosts.size;
  return isMost ? undefined : { roles: openRoles, hosts: openHosts };
}

/**
 * What is settled now that the pairs looked at have been dealt with: hosts with nothing left to do, nothing that failed and
 * nothing that nobody wants. The others were settled before and nothing has touched them.
 */
export function settledNow(
  present: Present,
  evaluations: readonly RoleEvaluations[],
  { applied, failed }: LedgerMoment,
): Settled {
  const unsettled = new Set(failed.map(({ host }) => host));
  const left = new Map(applied);
  for (const each of evaluations) {
    addUnsettled(unsettled, each, applied.get(each.role) ?? new Map());
    left.delete(each.role);
  }
  for (const hosts of left.values()) for (const host of hosts.keys()) unsettled.add(host);
  const hosts = new Map(present.hosts);
  for (const host of unsettled) hosts.set(host, '');
  return { roles: present.roles, hosts };
}

/** Adds the hosts of one role that are not as they should be. */
function addUnsettled(
  unsettled: Set<string>,
  { hosts, evaluations }: RoleEvaluations,
  digests: ReadonlyMap<string, string>,
): void {
  let known = 0;
  for (let index = 0; index < hosts.length; index += 1) {
    const evaluation = evaluations[index];
    if (evaluation?.kind === 'not-wanted') continue;
    const host = hosts[index] as string;
    const digest = digests.get(host);
    if (digest !== undefined) known += 1;
    if (evaluation?.kind !== 'plan' || digest !== evaluation.digest) unsettled.add(host);
  }
  if (known === digests.size) return;
  const wanted = wantedHosts({ hosts, evaluations });
  for (const host of digests.keys()) if (!wanted.has(host)) unsettled.add(host);
}
