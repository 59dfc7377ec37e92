/**
 * A small policy on four hosts: a role for all, one for web servers, one for databases.
 * Invariant: each role writes one file that tells its version, so a test sees on the host what was applied.
 * Never needs facts: what a run contacts is then exactly what it changes.
 */

import type { Fleet } from '../../fleet/fleet.ts';
import type { Files } from './towline.ts';

type HostVariables = Readonly<Record<string, Readonly<Record<string, string | number>>>>;

const groups = { web: ['host1', 'host2'], db: ['host3', 'host4'] };

/** Where a role's file is on a host. */
export function fileOf(role: string): string {
  return `/srv/${role}.txt`;
}

/** A role that writes `text` and the variable `word` of the host. */
export function role(name: string, text: string): Files {
  const targets = name === 'base' ? '' : `targets: { groups: ['${name}'] },`;
  return {
    [`roles/${name}/role.ts`]: `import { defineRole, file } from 'towline';

export default defineRole({
  ${targets}
  variables: { word: 'plain' },
  resources: ({ vars }) => [file('${fileOf(name)}', { content: \`${text} \${vars.word}\\n\` })],
});
`,
  };
}

/** The inventory's file. `members` may replace the groups. */
export function inventory(
  fleet: Fleet,
  hostVars: HostVariables = {},
  members: Readonly<Record<string, readonly string[]>> = groups,
): Files {
  const present = new Set(fleet.hosts.map((host) => host.name));
  const kept = Object.entries(members).map(([group, names]) => [group, names.filter((n) => present.has(n))]);
  return {
    'inventory.toml': fleet.inventoryToml({ user: 'root', groups: Object.fromEntries(kept), hostVars }),
  };
}

/** The environment `lab` with these roles; `more` are further lines of its table. */
export function settings(roles: readonly string[] = ['base', 'web', 'db'], more = ''): Files {
  const lines = ['[environments.lab]', 'branch = "main"', 'inventory = "inventory.toml"'];
  return { 'towline.toml': [...lines, `roles = ${JSON.stringify(roles)}`, more, ''].join('\n') };
}

/** The whole policy. */
export function smallPolicy(fleet: Fleet): Files {
  return {
    'README.md': 'Policy of the lab.\n',
    ...settings(),
    ...inventory(fleet),
    ...role('base', 'base 1'),
    ...role('web', 'web 1'),
    ...role('db', 'db 1'),
  };
}
