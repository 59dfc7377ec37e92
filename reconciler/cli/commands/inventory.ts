/**
 * `towline inventory`: hosts, groups and variables with where they come from.
 * Invariant: passwords are never among what is shown.
 * Contacts nobody.
 */

import { connectionFor } from '../../../inventory/connection.ts';
import type { Defaults } from '../../../inventory/defaults.ts';
import type { Inventory } from '../../../inventory/model.ts';
import { type Command, exitStatus } from '../command.ts';
import { type Fleet, readFleet } from '../fleet.ts';
import { refuse } from '../refuse.ts';
import { type InventoryData, inventoryView } from '../view/inventory.ts';
import { withWorkspace } from '../workspace.ts';

export const inventory: Command = {
  name: 'inventory',
  args: '[PATTERN]',
  summary: 'hosts and groups; with a pattern or -v their variables too',
  options: ['rev', 'worktree'],
  examples: [
    ['towline inventory', 'every host and group'],
    ['towline inventory "web-*"', 'some hosts, with variables and their places'],
    ['towline inventory @web', 'the hosts of a group'],
  ],
  async run(invocation) {
    const { options, args } = invocation;
    const ended = await withWorkspace(
      invocation,
      { state: 'read', worktree: options.worktree },
      async (workspace) => {
        const fleet = await readFleet(workspace, options, args[0]);
        if (!fleet.ok) return refuse(invocation, fleet.problems);
        const data = inventoryData(fleet.value, {
          variables: options.verbose > 0 || args[0] !== undefined,
          defaults: workspace.services.defaults,
        });
        workspace.output.document(data, (style, width) => inventoryView(data, style, width));
        return exitStatus.done;
      },
    );
    return typeof ended === 'number' ? ended : refuse(invocation, ended.refused);
  },
};

function inventoryData(
  { inventory: of, hosts }: Fleet,
  { variables, defaults }: { readonly variables: boolean; readonly defaults: Defaults },
): InventoryData {
  const shown = new Set(hosts.map(({ name }) => name));
  return {
    hosts: hosts.map((host) => ({
      name: host.name,
      groups: host.groups,
      address: addressOf(of, host.name, defaults),
      variables: Object.entries(host.variables).map(([name, value]) => ({
        name,
        value,
        from: of.provenance(host.name, name),
      })),
    })),
    groups: [...of.groups.values()]
      .map(({ name, children, hosts: members }) => ({
        name,
        children,
        hosts: members.filter((host) => shown.has(host)),
      }))
      .filter((group) => group.hosts.length > 0 || shown.size === of.hosts.size),
    variables,
  };
}

function addressOf(of: Inventory, host: string, defaults: Defaults): string | undefined {
  const spec = connectionFor(of, host, {}, defaults);
  if (!spec.ok) return undefined;
  const { kind, user, address, port, via } = spec.value;
  if (kind === 'local') return 'this machine';
  const account = user === undefined ? '' : `${user}@`;
  return `${account}${address}:${port}${via === undefined ? '' : ` via ${via.host}`}`;
}
