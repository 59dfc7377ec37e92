/**
 * `towline explain HOST ROLE [RESOURCE]`: why a host is to be what it is; with --connection, how it is reached.
 * Invariant: every variable with its place, every input with whether it changed, every resource with where it is declared.
 * Contacts nobody and writes nothing.
 */

import type { Json } from '../../../agent/protocol/json.ts';
import type { Problem } from '../../../agent/protocol/problem.ts';
import type { Inventory } from '../../../inventory/model.ts';
import { selectHosts } from '../../../inventory/select.ts';
import type { Affected, RunEvent } from '../../base/event.ts';
import type { LedgerEntry } from '../../base/ledger.ts';
import { cliProblem } from '../../base/problem-codes/cli.ts';
import { type Desired, pairKey } from '../../plan/affected.ts';
import type { RoleDefinition } from '../../policy/model.ts';
import type { Loaded, Run } from '../../steps/run.ts';
import { type Command, exitStatus } from '../command.ts';
import { explainTheConnection } from '../explain-connection.ts';
import { oneRun } from '../one-run.ts';
import { refuse } from '../refuse.ts';
import {
  type ExplainData,
  type ExplainedInput,
  type ExplainedResource,
  explainView,
} from '../view/explain.ts';
import type { Workspace } from '../workspace.ts';

export const explain: Command = {
  name: 'explain',
  args: '<HOST> [ROLE] [RESOURCE]',
  summary: 'why a host is to be what it is: variables, inputs, resources with their places',
  options: ['rev', 'worktree', 'connection', 'role'],
  examples: [
    ['towline explain web-1 web', 'a role on a host'],
    ['towline explain web-1 web file:/etc/motd', 'one resource with its parameters'],
    ['towline explain web-1 --connection', 'how the host is reached, and who says so'],
  ],
  async run(invocation) {
    const { connection, role: named } = invocation.options;
    const [host = '', role = named ?? '', resource] = invocation.args;
    if (connection) return explainTheConnection(invocation, { host, role: role === '' ? undefined : role });
    if (role === '')
      return refuse(invocation, [cliProblem('cli.bad-option', 'name a role, or ask for the --connection')]);
    let affected: readonly Affected[] = [];
    let isKnown = false;
    const watch = (event: RunEvent): void => {
      if (event.type === 'planned') affected = event.affected;
    };
    const only = { ...invocation, options: { ...invocation.options, limitHosts: [host], force: true } };
    return oneRun(only, {
      mode: 'check',
      offline: true,
      records: false,
      live: false,
      watch,
      statusOf: () => (isKnown ? exitStatus.done : exitStatus.failure),
      show: async (run, _, workspace) => {
        const { output } = workspace;
        if (run.problems.length > 0 || run.loaded === undefined) return output.problems(run.problems);
        const asked = { host, role, resource, affected: affected.find((each) => each.role === role) };
        const data = await explainData(run, workspace, asked);
        isKnown = !('code' in data);
        if ('code' in data) output.problems([data]);
        else output.document(data, (style, width) => explainView(data, style, width));
      },
    });
  },
};

interface Asked {
  readonly host: string;
  readonly role: string;
  readonly resource: string | undefined;
  readonly affected: Affected | undefined;
}

async function explainData(
  run: Run,
  { store, services }: Workspace,
  asked: Asked,
): Promise<ExplainData | Problem> {
  const { inventory, roles } = run.loaded as Loaded;
  const definition = roles.find(({ name }) => name === asked.role);
  const host = inventory.hosts.get(asked.host);
  const name = run.request.environment.name;
  if (host === undefined) return cliProblem('cli.unknown-host', `${name} has no host ${asked.host}`);
  if (definition === undefined) return cliProblem('cli.unknown-role', `${name} has no role ${asked.role}`);
  const desired = run.decision?.affected.find((each) => each.role === asked.role);
  const entry = run.entries?.get(pairKey(asked.host, asked.role));
  const failed = (await store.ledger.failed(name)).find(
    (each) => each.host === asked.host && each.role === asked.role,
  );
  return {
    environment: name,
    host: asked.host,
    role: asked.role,
    targeting: targetingText(inventory, definition, asked.host, desired),
    applied: entry && { at: entry.appliedAt, revision: entry.revision, run: entry.run },
    affected: asked.affected?.reason === 'forced' ? undefined : asked.affected,
    failed: failed && { at: failed.at, attempts: failed.attempts, problem: failed.problem },
    variables: Object.entries(host.variables).map(([variable, value]) => ({
      name: variable,
      value,
      from: inventory.provenance(asked.host, variable),
    })),
    inputs: desired === undefined ? [] : inputRows(entry, desired),
    resources: resourceRows(desired, asked.resource),
    now: services.clock.now(),
  };
}

function targetingText(
  inventory: Inventory,
  role: RoleDefinition,
  host: string,
  desired: Desired | undefined,
): string {
  const isTarget = selectHosts(inventory, role.targets).some(({ name }) => name === host);
  if (!isTarget) return 'no: its targets do not match this host';
  if (desired === undefined) return 'no plan: its condition says no, or it reads facts nobody has read yet';
  const { groups, hosts } = role.targets;
  if (groups === undefined && hosts === undefined) return 'yes: the role is for every host';
  return `yes: targets ${[...(groups ?? []).map((group) => `group ${group}`), ...(hosts ?? [])].join(', ')}`;
}

function inputRows(entry: LedgerEntry | undefined, { inputs }: Desired): ExplainedInput[] {
  const before = entry?.inputs ?? {};
  const names = [...new Set([...Object.keys(before), ...Object.keys(inputs)])].sort();
  return names.map((name) => ({ name, state: stateOf(before[name], inputs[name]) }));
}

function stateOf(before: string | undefined, now: string | undefined): ExplainedInput['state'] {
  if (before === undefined) return 'new';
  if (now === undefined) return 'gone';
  return before === now ? 'same' : 'changed';
}

function resourceRows(desired: Desired | undefined, wanted: string | undefined): ExplainedResource[] {
  const resources = (desired?.plan.resources ?? []).filter(({ id }) => wanted === undefined || id === wanted);
  return resources.map(({ id, meta, wanted: parameters }) => ({
    resource: id,
    place: desired?.places[id],
    tags: meta.tags,
    notify: meta.notify,
    ...(wanted !== undefined && meta.sensitive !== true && { wanted: parameters as Record<string, Json> }),
  }));
}
