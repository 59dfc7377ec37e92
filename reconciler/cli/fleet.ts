/**
 * The hosts of an environment without its roles: what inventory, facts, ping and exec work with.
 * Invariant: patterns narrow the hosts before anything is opened.
 * Never evaluates a role.
 */

import type { Checked } from '../../agent/protocol/problem.ts';
import { success } from '../../agent/protocol/problem.ts';
import type { Host, Inventory } from '../../inventory/model.ts';
import { limitHosts } from '../../inventory/select.ts';
import { cliProblem } from '../base/problem-codes/cli.ts';
import type { Environment } from '../policy/environment.ts';
import { readInventory } from '../steps/read-inventory.ts';
import type { Options } from './command.ts';
import { pickEnvironment } from './pick.ts';
import type { Workspace } from './workspace.ts';

export interface Fleet {
  readonly environment: Environment;
  readonly inventory: Inventory;
  /** The hosts that the options and the pattern leave. */
  readonly hosts: readonly Host[];
}

/** Reads the inventory of the environment that the options name; `pattern` narrows like --limit-hosts. */
export async function readFleet(
  workspace: Workspace,
  options: Options,
  pattern?: string,
): Promise<Checked<Fleet>> {
  const environment = await pickEnvironment(workspace, options.env);
  if (!environment.ok) return environment;
  const snapshot = await workspace.services.snapshot(environment.value.branch, options.rev);
  if (!snapshot.ok) return { ok: false, problems: [snapshot.problem] };
  const inventory = await readInventory(snapshot.value, environment.value.inventory, undefined);
  if (!inventory.ok) return inventory;
  const { limitHosts: names, limitGroups: groups } = options;
  let hosts: readonly Host[] = [...inventory.value.hosts.values()];
  if (names.length > 0) hosts = limitHosts(hosts, { hosts: names });
  if (groups.length > 0) hosts = limitHosts(hosts, { groups });
  if (pattern !== undefined) hosts = byPattern(hosts, pattern);
  if (hosts.length > 0) return success({ environment: environment.value, inventory: inventory.value, hosts });
  const wanted = pattern ?? [...names, ...groups].join(', ');
  return {
    ok: false,
    problems: [
      cliProblem('cli.unknown-host', `no host of ${environment.value.name} matches ${wanted || 'anything'}`),
    ],
  };
}

/** A pattern on hosts, or `@group`. */
function byPattern(hosts: readonly Host[], pattern: string): readonly Host[] {
  return pattern.startsWith('@')
    ? limitHosts(hosts, { groups: [pattern.slice(1)] })
    : limitHosts(hosts, { hosts: [pattern] });
}
