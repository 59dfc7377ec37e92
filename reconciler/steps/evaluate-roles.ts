/**
 * Each role for each of its hosts, within the limits asked for.
 * Invariant: the limits narrow the hosts before anything else happens with them.
 * Never contacts a host.
 */

import type { Host, Inventory } from '../../inventory/model.ts';
import { type HostTargets, limitHosts, selectHosts } from '../../inventory/select.ts';
import type { RoleEvaluations } from '../plan/affected.ts';
import type { RoleDefinition, Subject } from '../policy/model.ts';
import type { HostFacts } from '../state/facts-book.ts';
import { look } from './look.ts';
import { goOn, type Loaded, type Run, type RunRequest, type Step } from './run.ts';

export const evaluateRoles: Step = {
  name: 'evaluate-roles',
  async take(run) {
    await evaluate(run);
    return goOn;
  },
};

/** One answer per role and host of it that has to be looked at. */
export async function evaluate(run: Run): Promise<void> {
  const { inventory, policy, roles } = run.loaded as Loaded;
  const seen = await look(run);
  const { open } = seen;
  const hostsOf = hostFinder(inventory, run.request);
  const subjectOf = subjectMaker(run, seen.facts);
  const evaluateRole = async ({ name, targets }: RoleDefinition): Promise<RoleEvaluations> => {
    const isWhole = open === undefined || open.roles.has(name);
    const hosts = isWhole ? hostsOf(targets) : hostsOf(targets).filter((host) => open.hosts.has(host.name));
    const evaluations = hosts.length === 0 ? [] : await policy.evaluate(name, hosts.map(subjectOf));
    return { role: name, hosts: hosts.map((host) => host.name), evaluations };
  };
  // All at once: while the worker runs one role, the answers known for the next are looked up here.
  run.evaluations = await Promise.all(roles.map(evaluateRole));
  run.look = seen;
  run.hosts = countHosts(new Set(roles.map(({ targets }) => hostsOf(targets))));
}

/** How many hosts are in any of these lists. */
function countHosts(lists: ReadonlySet<readonly Host[]>): number {
  const hosts = new Set<Host>();
  for (const list of lists) for (const host of list) hosts.add(host);
  return hosts.size;
}

function subjectMaker(run: Run, facts: ReadonlyMap<string, HostFacts>): (host: Host) => Subject {
  const { environment, extraVariables } = run.request;
  const about = { name: environment.name, branch: environment.branch };
  const subjects = new Map<Host, Subject>();
  return (host) => {
    const known = subjects.get(host);
    if (known !== undefined) return known;
    const made = { host, facts: facts.get(host.name)?.facts, environment: about, extraVariables };
    subjects.set(host, made);
    return made;
  };
}

/** Hosts by targets; many roles have the same. */
function hostFinder(inventory: Inventory, request: RunRequest): (targets: HostTargets) => readonly Host[] {
  const found = new Map<string, readonly Host[]>();
  return (targets) => {
    const key = JSON.stringify([targets.groups, targets.hosts]);
    const known = found.get(key) ?? narrowed(selectHosts(inventory, targets), request);
    found.set(key, known);
    return known;
  };
}

/** The hosts of a list that a request may touch. */
function narrowed(hosts: readonly Host[], request: RunRequest): readonly Host[] {
  const { limitHosts: byName, limitGroups: byGroup, onlyHosts } = request;
  const listed = onlyHosts === undefined ? hosts : hosts.filter((host) => onlyHosts.has(host.name));
  if (byName.length === 0 && byGroup.length === 0) return listed;
  return limitHosts(listed, {
    hosts: byName.length === 0 ? undefined : byName,
    groups: byGroup.length === 0 ? undefined : byGroup,
  });
}
