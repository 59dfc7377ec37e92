/**
 * A policy repository for tests of faults: one environment on a fleet, roles as texts, commits by name.
 * Invariant: lives in a temporary folder of the test file; the first commit already loads.
 * Never shared between test files.
 */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Fleet } from '../fleet/fleet.ts';
import type { InventoryOptions } from '../fleet/inventory-toml.ts';
import { commitFiles, createRepository } from '../helpers/git-repository.ts';
import type { Place } from './towline.ts';

export interface PolicyParts {
  /** Role name → text of its role.ts. */
  readonly roles: Readonly<Record<string, string>>;
  readonly inventory?: Partial<InventoryOptions>;
  readonly files?: Readonly<Record<string, string>>;
  /** Lines of the environment's table. */
  readonly settings?: readonly string[];
}

export interface Policy extends Place {
  commit(files: Readonly<Record<string, string>>): string;
}

/** The text of towline.toml. */
export function settingsToml(...lines: readonly string[]): string {
  return ['[environments.test]', 'branch = "main"', 'inventory = "inventory/"', ...lines, ''].join('\n');
}

/** Makes the repository with its first commit below `folder`. */
export function createPolicy(folder: string, fleet: Fleet | undefined, parts: PolicyParts): Policy {
  const repo = join(folder, 'policy');
  const roles = Object.entries(parts.roles).map(([name, text]) => [`roles/${name}/role.ts`, text] as const);
  mkdirSync(folder, { recursive: true });
  createRepository(repo, {
    'towline.toml': settingsToml('drift = { mode = "off" }', ...(parts.settings ?? [])),
    'inventory/hosts.toml': fleet?.inventoryToml({ user: 'root', ...parts.inventory }) ?? '',
    ...Object.fromEntries(roles),
    ...parts.files,
  });
  return { repo, folder, commit: (files) => commitFiles(repo, files) };
}

/** A role of which everything is in its resources. */
export function roleText(resources: string, more = ''): string {
  return `import { command, defineRole, directory, file, template } from 'towline'
export default defineRole({
  ${more}
  resources: () => [
    ${resources}
  ],
})
`;
}
