/**
 * An inventory file for the fleet's hosts, in the form Towline reads.
 * Invariant: every host is in the group `fleet`; other groups come from the caller.
 * Never holds a password unless the caller put it into the variables.
 */

import type { FleetHost } from './host.ts';

type Value = string | number | boolean;
type Variables = Readonly<Record<string, Value | readonly Value[]>>;

export interface InventoryOptions {
  /** Account to log in as. */
  readonly user: string;
  /** Further groups: name → names of hosts. */
  readonly groups?: Readonly<Record<string, readonly string[]>>;
  /** Variables of all hosts. */
  readonly vars?: Readonly<Record<string, Value>>;
  /** Variables of single hosts. */
  readonly hostVars?: Readonly<Record<string, Readonly<Record<string, Value>>>>;
}

/** What of a host the file needs. */
export type InventoryHost = Pick<FleetHost, 'name' | 'address' | 'hostKey'>;

/** Writes the file's text. Host keys are pinned in it, unless the caller's variables choose another policy. */
export function inventoryToml(
  hosts: readonly InventoryHost[],
  keyFile: string,
  options: InventoryOptions,
): string {
  const pins = options.vars?.towline_host_keys === undefined;
  const members = hosts.map((host) => {
    const pinned: Variables = pins ? { towline_pinned_keys: [host.hostKey] } : {};
    const vars: Variables = { towline_host: host.address, ...pinned, ...options.hostVars?.[host.name] };
    return `${JSON.stringify(host.name)} = { ${assignments(vars).join(', ')} }`;
  });
  const groups = Object.entries(options.groups ?? {}).flatMap(([group, names]) => [
    `[groups.${JSON.stringify(group)}.hosts]`,
    ...names.map((name) => `${JSON.stringify(name)} = {}`),
    '',
  ]);
  const vars = {
    towline_ssh_username: options.user,
    towline_ssh_key: keyFile,
    towline_host_keys: 'pinned',
    ...options.vars,
  };
  return [
    ...['[groups.fleet.hosts]', ...members, ''],
    ...['[groups.fleet.vars]', ...assignments(vars), ''],
    ...groups,
  ].join('\n');
}

/** TOML reads strings, numbers, booleans and lists of them as JSON writes them. */
function assignments(vars: Variables): string[] {
  return Object.entries(vars).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
}
