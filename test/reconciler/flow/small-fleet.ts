/**
 * A policy repository in a temporary directory and a few embedded SSH hosts that it drives.
 * Invariant: hosts write below their own folder only; what was started is stopped by `stop`.
 * Test code only.
 */

import { appendFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type SshHost, startSshHost } from '../../../reconciler/demo/ssh-host.ts';
import { commitFiles, createRepository } from '../../helpers/git-repository.ts';

export interface SmallHost extends SshHost {
  readonly name: string;
  /** What its roles write to. */
  readonly root: string;
}

/** A role that writes one file into the host's root. */
export function fileRole(name: string, content: string, more = ''): string {
  return `import { defineRole, file } from 'towline'
export default defineRole({
  ${more}
  resources: ({ vars, host }) => [file(vars.root + '/${name}', { content: ${content} })],
})
`;
}

/** A role whose command tells that it ran and ends with the number in the variable `ends`. */
export function commandRole(name: string, more = ''): string {
  return `import { command, defineRole } from 'towline'
export default defineRole({
  variables: { ends: 0 },
  ${more}
  resources: ({ vars }) => [command('${name}', { argv: ['/bin/sh', '-c', 'echo ${name} >> "$0/ran"; exit ' + vars.ends, vars.root] })],
})
`;
}

export class SmallFleet {
  readonly repository: string;
  readonly hosts: readonly SmallHost[];
  readonly #folder: string;

  private constructor(folder: string, hosts: readonly SmallHost[]) {
    this.#folder = folder;
    this.repository = join(folder, 'policy');
    this.hosts = hosts;
  }

  /** Starts hosts and makes the repository with these files; `inventory.toml` names every host in group `all`. */
  static async start(
    folder: string,
    names: readonly string[],
    files: Readonly<Record<string, string>>,
  ): Promise<SmallFleet> {
    const hosts = await Promise.all(names.map((name) => startHost(folder, name)));
    const fleet = new SmallFleet(folder, hosts);
    createRepository(fleet.repository, { 'inventory.toml': fleet.inventory(), ...files });
    return fleet;
  }

  host(name: string): SmallHost {
    const found = this.hosts.find((host) => host.name === name);
    if (found === undefined) throw new Error(`no host ${name}`);
    return found;
  }

  /** The inventory; `more` adds variables to hosts, `only` leaves hosts out. */
  inventory(
    more: Readonly<Record<string, Readonly<Record<string, string | number>>>> = {},
    only?: readonly string[],
  ): string {
    const shown = this.hosts.filter(({ name }) => only?.includes(name) ?? true);
    return shown.map((host) => hostTable(host, more[host.name] ?? {})).join('\n');
  }

  commit(files: Readonly<Record<string, string>>, message?: string): string {
    return commitFiles(this.repository, files, message);
  }

  /** Makes a host unreachable, and gives what brings it back at the same address. */
  async switchOff(name: string): Promise<void> {
    await this.host(name).stop();
  }

  async stop(): Promise<void> {
    await Promise.all(this.hosts.map((host) => host.stop()));
  }

  get folder(): string {
    return this.#folder;
  }
}

async function startHost(folder: string, name: string): Promise<SmallHost> {
  const own = join(folder, name);
  const host = await startSshHost({ folder: own, path: [dirname(process.execPath)] });
  appendFileSync(join(own, 'home', '.keep'), '');
  return Object.defineProperties(
    { name, root: host.home },
    Object.getOwnPropertyDescriptors(host),
  ) as SmallHost;
}

function hostTable(host: SmallHost, more: Readonly<Record<string, string | number>>): string {
  const values = {
    towline_host: host.address,
    towline_port: host.port,
    towline_ssh_username: host.user,
    towline_ssh_key: host.keyFile,
    towline_host_keys: 'pinned',
    towline_pinned_keys: [host.hostKey],
    root: host.root,
    ...more,
  };
  const lines = Object.entries(values).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
  return `[groups.fleet.hosts.${host.name}]\n${lines.join('\n')}\n`;
}
