/**
 * An inventory file for the fleet's hosts, in the form Towline reads.
 * Invariant: every host is in the group `fleet`; other groups come from the caller.
 * Never holds a password unless the caller put it into the variables.
 */

import type { FleetHost } from './host.ts';

type Value = string | number | boolean;

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

/** Writes the file's text. */
export function inventoryToml(
  hosts: readonly FleetHost[],
  keyFile: string,
  options: InventoryOptions,
): string {
  const addresses = hosts.map((host) => {
    const vars = { towline_host: host.address, ...options.hostVars?.[host.name] };
    const members = Object.entries(vars).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
    return `${JSON.stringify(host.name)} = { ${members.join(', ')} }`;
  });
  const groups = Object.entries(options.groups ?? {}).flatMap(([group, names]) => [
    `[groups.${JSON.stringify(group)}.hosts]`,
    ...names.map((name) => `${JSON.stringify(name)} = {}`),
    '',
  ]);
  const vars = { towline_ssh_username: options.user, towline_ssh_key: keyFile, ...options.vars };
  return [
    ...['[groups.fleet.hosts]', ...addresses, ''],
    '[groups.fleet.vars]',
    ...Object.entries(vars).map(([key, value]) => `${key} = ${JSON.stringify(value)}`),
    '',
    ...groups,
  ].join('\n');
}
