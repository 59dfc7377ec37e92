/**
 * Brings up a fleet of real OpenSSH hosts on this machine and takes it down again.
 * Invariant: `down` leaves no process, namespace, cable, mount or file; a fleet whose owner died is swept by the next one.
 * Never up while packages are installed on this machine: the hosts look through to its files.
 */

import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fleetAvailable } from './available.ts';
import { type FleetHost, makeHost, type PoweredHost } from './host.ts';
import { type InventoryOptions, inventoryToml } from './inventory-toml.ts';
import { foreignRuntime, layHost, layShared } from './layers.ts';
import { linkOf, raiseLinks, raiseNetwork } from './network.ts';
import { identify } from './process.ts';
import { must } from './run.ts';
import { dismantle, type FleetState, fleetFolder, sweepAbandoned, writeState } from './state.ts';

export interface FleetOptions {
  readonly count: number;
  /** Names of the hosts; host1 … hostN when left out. */
  readonly names?: readonly string[];
  /** The hosts look as if systemd ran, with a stand-in for systemctl. */
  readonly systemdStub?: boolean;
  /** Units the stand-in knows besides those with a unit file, as `nginx.service`. */
  readonly units?: readonly string[];
  /** false: the hosts have no Node. */
  readonly node?: boolean;
  /** true: the fleet outlives this process. */
  readonly keep?: boolean;
}

export interface Fleet {
  readonly id: string;
  readonly folder: string;
  readonly hosts: readonly FleetHost[];
  readonly clientKeyFile: string;
  readonly knownHostsFile: string;
  host(name: string): FleetHost;
  inventoryToml(options: InventoryOptions): string;
  down(): Promise<void>;
}

const stub = join(import.meta.dirname, '../helpers/programs/systemctl');

/** Brings up `count` hosts, all at once. */
export async function upFleet(options: FleetOptions): Promise<Fleet> {
  const reason = fleetAvailable();
  if (reason !== undefined) throw new Error(reason);
  await sweepAbandoned();
  raiseInotifyLimit(options.count);
  const id = randomBytes(4).toString('hex');
  const folder = fleetFolder(id);
  mkdirSync(folder, { mode: 0o755 });
  await must('mount', ['-t', 'tmpfs', '-o', 'mode=0755', 'tmpfs', folder]);
  const network = await raiseNetwork();
  const links = Array.from({ length: options.count }, (_, index) => linkOf(network, index));
  const owner = options.keep === true ? undefined : identify(process.pid);
  const state: FleetState = { id, folder, network, links, carriers: [], owner };
  writeState(state);
  try {
    return await populate(state, options);
  } catch (error) {
    await dismantle(state);
    throw error;
  }
}

async function populate(state: FleetState, options: FleetOptions): Promise<Fleet> {
  const { folder, network, links } = state;
  const names = links.map((_, index) => options.names?.[index] ?? `host${index + 1}`);
  const clientKeyFile = join(folder, 'client_key');
  await must('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'towline-fleet', '-f', clientKeyFile]);
  const node = options.node ?? true;
  await layShared(folder, {
    clientKey: readFileSync(`${clientKeyFile}.pub`, 'utf8').trim(),
    hosts: links.map((link, index) => `${link.address} ${names[index]}`),
    systemctl: options.systemdStub === true ? stub : undefined,
    units: options.units ?? [],
    node,
  });
  await raiseLinks(network, links);
  const init = options.systemdStub === true ? 'systemd' : 'none';
  const shared = { fleet: folder, network, init, runtime: foreignRuntime(node) } as const;
  const hosts = await Promise.all(
    links.map(async (link, index) => lay({ ...shared, link, name: names[index] ?? '' })),
  );
  const started = await Promise.allSettled(hosts.map((host) => host.start()));
  const now = { ...state, carriers: carriersOf(hosts) };
  writeState(now);
  const failed = started.find((result) => result.status === 'rejected');
  if (failed !== undefined) {
    await dismantle(now);
    throw failed.reason;
  }
  return handle(now, hosts, clientKeyFile);
}

type Laid = Omit<Parameters<typeof makeHost>[0], 'folder' | 'hostKey'>;

async function lay(parts: Laid): Promise<PoweredHost> {
  const folder = join(parts.fleet, parts.name);
  const hostKey = await layHost(folder, parts.name);
  return makeHost({ ...parts, folder, hostKey });
}

function carriersOf(hosts: readonly PoweredHost[]): FleetState['carriers'] {
  return hosts.map((host) => host.carriers());
}

function handle(state: FleetState, hosts: readonly PoweredHost[], clientKeyFile: string): Fleet {
  const knownHostsFile = join(state.folder, 'known_hosts');
  writeFileSync(knownHostsFile, hosts.map((host) => `${host.address} ${host.hostKey}\n`).join(''));
  return {
    id: state.id,
    folder: state.folder,
    hosts,
    clientKeyFile,
    knownHostsFile,
    host: (name) => {
      const found = hosts.find((host) => host.name === name);
      if (found === undefined) throw new Error(`no host ${name} in this fleet`);
      return found;
    },
    inventoryToml: (options) => inventoryToml(hosts, clientKeyFile, options),
    down: () => dismantle({ ...state, carriers: carriersOf(hosts) }),
  };
}

/** Each agent holds one inotify instance and all hosts share one limit. The raised limit stays: others may rely on it by then. */
function raiseInotifyLimit(hosts: number): void {
  const file = '/proc/sys/fs/inotify/max_user_instances';
  const wanted = 128 + hosts * 8;
  if (hosts >= 10 && Number(readFileSync(file, 'utf8')) < wanted) writeFileSync(file, String(wanted));
}
