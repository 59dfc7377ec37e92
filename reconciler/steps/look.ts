/**
 * What a run looks at: hosts with their facts as they are at this moment, and which pairs are known to need nothing.
 * Invariant: what is recorded as settled carries the fingerprints of what was evaluated, not of what was learned meanwhile.
 * A run that was asked for some hosts, for all pairs or for drift passes over nothing.
 */

import { hash } from 'node:crypto';
import { canonicalJson } from '../../agent/protocol/json.ts';
import type { SettledRole } from '../base/ledger.ts';
import { openPairs, settledNow } from '../plan/settled.ts';
import type { HostFacts } from '../state/facts-book.ts';
import type { Loaded, Look, Run, RunRequest } from './run.ts';

/** Looks at the hosts and at what is settled. */
export async function look(run: Run): Promise<Look> {
  const { environment } = run.request;
  const { inventory, roles } = run.loaded as Loaded;
  const before = await run.services.store.ledger.settled(environment.name);
  const facts = new Map<string, HostFacts>();
  const hosts = new Map<string, string>();
  for (const { name, fingerprint } of inventory.hosts.values()) {
    const known = run.services.facts.known(name);
    if (known !== undefined) facts.set(name, known);
    hosts.set(name, `${fingerprint} ${known?.fingerprint ?? ''}`);
  }
  const present = new Map(roles.map(({ name }) => [name, roleLike(run, name, before.roles.get(name))]));
  const open = passesOver(run.request) ? openPairs(before, { roles: present, hosts }) : undefined;
  return { facts, hosts, before, open };
}

/** Records what is settled after a run that was about everything. */
export async function recordSettled(run: Run): Promise<void> {
  const { request, evaluations = [], decision } = run;
  if (run.look === undefined || decision === undefined || request.mode !== 'apply' || isLimited(request))
    return;
  const { hosts, before, open } = run.look;
  const isSame =
    open !== undefined &&
    open.roles.size + open.hosts.size + decision.affected.length + decision.released.length === 0;
  if (isSame) return;
  const roles = new Map(
    (run.loaded as Loaded).roles.map(({ name }) => [name, roleNow(run, name, { before, open })]),
  );
  await run.services.store.ledger.settle(request.environment.name, open, (moment) =>
    settledNow({ roles, hosts }, evaluations, moment),
  );
}

/** Whether a run is about some hosts only. */
export function isLimited({ onlyHosts, limitHosts, limitGroups }: RunRequest): boolean {
  return onlyHosts !== undefined || limitHosts.length + limitGroups.length > 0;
}

function passesOver(request: RunRequest): boolean {
  return !request.force && !request.mode.startsWith('drift') && !isLimited(request);
}

/** The role as it is now, with the files it looked at so far: those of this process, and those of before where it did not change. */
function roleNow(run: Run, name: string, { before, open }: Pick<Look, 'before' | 'open'>): SettledRole {
  const paths = (run.loaded as Loaded).policy.paths(name);
  if (paths === undefined) return never;
  const isOpen = open === undefined || open.roles.has(name);
  const earlier = isOpen ? [] : (before.roles.get(name)?.paths ?? []);
  return settledRole(run, name, [...new Set([...paths, ...earlier])].sort());
}

/** The role as it is now, where its evaluations look at the same files as before. */
function roleLike(run: Run, name: string, before: SettledRole | undefined): SettledRole {
  return before === undefined || before.fingerprint === '' ? never : settledRole(run, name, before.paths);
}

const never: SettledRole = { fingerprint: '', paths: [] };

function settledRole(run: Run, name: string, paths: readonly string[]): SettledRole {
  const { environment, extraVariables } = run.request;
  const about = [
    (run.loaded as Loaded).policy.fingerprint(name, paths),
    environment.name,
    environment.branch,
    canonicalJson(extraVariables),
  ];
  return { fingerprint: hash('sha256', about.join('\n')), paths };
}
