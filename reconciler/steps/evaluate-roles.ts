/**
 * Each role for each of its hosts, within the limits asked for.
 * Invariant: the limits narrow the hosts before anything else happens with them.
 * Never contacts a host.
 */

import type { Host } from '../../inventory/model.ts';
import { limitHosts, selectHosts } from '../../inventory/select.ts';
import type { RoleEvaluations } from '../plan/affected.ts';
import type { RoleDefinition, Subject } from '../policy/model.ts';
import { goOn, type Loaded, type Run, type RunRequest, type Step } from './run.ts';

export const evaluateRoles: Step = {
  name: 'evaluate-roles',
  async take(run) {
    run.evaluations = await evaluate(run);
    return goOn;
  },
};

/** One answer per role and host of it; with `only`, for these hosts. */
export async function evaluate(run: Run): Promise<readonly RoleEvaluations[]> {
  const { inventory, policy, roles } = run.loaded as Loaded;
  const { environment, extraVariables } = run.request;
  const about = { name: environment.name, branch: environment.branch };
  const subjects = new Map<string, Subject>();
  const subjectOf = (host: Host): Subject => {
    const known = subjects.get(host.name);
    if (known !== undefined) return known;
    const made = { host, facts: run.services.facts.get(host.name), environment: about, extraVariables };
    subjects.set(host.name, made);
    return made;
  };
  const evaluateRole = async (role: RoleDefinition): Promise<RoleEvaluations> => {
    const hosts = narrowed(selectHosts(inventory, role.targets), run.request);
    const evaluations = hosts.length === 0 ? [] : await policy.evaluate(role.name, hosts.map(subjectOf));
    return { role: role.name, hosts: hosts.map((host) => host.name), evaluations };
  };
  // All at once: while the worker runs one role, the answers known for the next are looked up here.
  return Promise.all(roles.map(evaluateRole));
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
