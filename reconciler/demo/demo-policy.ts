/**
 * The policy of the demo: the template that `towline init` copies, with the demo's hosts as its inventory.
 * Invariant: host keys are pinned, and everything the roles write lies in the folder of its host.
 * Never changes a role but by the one commit of the tour.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { layTypes } from '../policy/lay-types.ts';
import { copyTemplate } from '../policy/repo-template.ts';
import { beginRepository, commitFiles } from '../source/own-repository.ts';
import type { DemoHost } from './demo-hosts.ts';

const author = { name: 'Towline demo', email: 'demo@localhost' };
const inventoryPath = 'inventory/production.toml';

/** The environment of the template that the demo drives. */
export const demoEnvironment = 'production';

/** What the commit of the tour changes: one file of one role. */
export const tourCommit = {
  path: 'roles/web/templates/app.conf.njk',
  added: 'workers 2',
  subject: 'Give the site two workers',
} as const;

/** Makes the repository in `directory`; gives the first commit's id. */
export async function beginPolicy(directory: string, hosts: readonly DemoHost[]): Promise<string> {
  copyTemplate(directory);
  writeFileSync(join(directory, inventoryPath), inventoryText(hosts));
  layTypes(directory);
  return beginRepository(directory, { message: 'Describe three hosts\n', author });
}

/** Makes the commit of the tour; gives its id. */
export async function commitChange(directory: string): Promise<string> {
  const path = join(directory, tourCommit.path);
  writeFileSync(path, `${readFileSync(path, 'utf8')}${tourCommit.added}\n`);
  return commitFiles(directory, [tourCommit.path], { message: `${tourCommit.subject}\n`, author });
}

function inventoryText(hosts: readonly DemoHost[]): string {
  const groups = [...new Set(hosts.map(({ group }) => group))].map((group) => {
    const tables = hosts.filter((host) => host.group === group).map((host) => hostTable(group, host));
    return tables.join('\n');
  });
  const all = ['[groups.all.vars]', 'contact = "you, on this machine"', ''];
  const head = '# The hosts of the demo: SSH servers on this machine, each with folders of its own.\n';
  return [head, ...groups, all.join('\n')].join('\n');
}

function hostTable(group: string, host: DemoHost): string {
  const values = {
    towline_host: host.address,
    towline_port: host.port,
    towline_ssh_username: host.user,
    towline_ssh_key: host.keyFile,
    towline_pinned_keys: [host.hostKey],
    root: host.root,
  };
  // Text, numbers and lists of text have the same form in TOML and in JSON.
  const lines = Object.entries(values).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
  return [`[groups.${group}.hosts.${host.name}]`, ...lines, ''].join('\n');
}
