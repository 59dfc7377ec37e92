/**
 * One test host: power, cable, and a way in that does not use the network.
 * Invariant: files on the host are reached only from inside its namespaces, so a link there cannot lead out.
 * Never signals a process outside the host.
 */

import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Link, type Network, setCable, type Traffic, trafficOf, withPrefix } from './network.ts';
import { type OverlayTree, readOverlay } from './overlay-tree.ts';
import {
  alive,
  end,
  endCarriers,
  type HostProcess,
  identify,
  type ProcessId,
  processesBeside,
} from './process.ts';
import { type Ran, type RunOptions, run } from './run.ts';

export interface FleetHost {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** `type base64`, as in known_hosts after the address. */
  readonly hostKey: string;
  /** Home of a user on the host. */
  home(user: string): string;
  /** Runs a program inside the host as root, past the network. */
  exec(argv: readonly string[], options?: RunOptions): Promise<Ran>;
  readFile(path: string): Promise<string>;
  writeFile(path: string, content: string, mode?: string): Promise<void>;
  /** Power off: everything dies without a word on the wire. New connections time out, or are refused at once if asked. */
  stop(answer?: 'silence' | 'refuse'): Promise<void>;
  /** Power on again, with the same disk and keys. */
  start(): Promise<void>;
  pauseNetwork(): Promise<void>;
  resumeNetwork(): Promise<void>;
  /** Every process on the host, in the machine's numbering, so that a test can signal it. */
  processes(): readonly HostProcess[];
  /** Numbers of the Node processes on the host, agents among them. */
  agentPids(): readonly number[];
  overlayTree(): OverlayTree;
  bytes(): Traffic;
}

export interface HostParts {
  readonly name: string;
  readonly fleet: string;
  readonly folder: string;
  readonly network: Network;
  readonly link: Link;
  readonly hostKey: string;
  readonly init: 'systemd' | 'none';
  readonly runtime: string;
}

export interface PoweredHost extends FleetHost {
  /** The processes outside that carry the host: its keeper and its first one. */
  carriers(): readonly ProcessId[];
}

const namespaces = ['--mount', '--uts', '--ipc', '--net', '--pid'];
const port = 22;

/** The handle of a host whose layers and cable exist; it is off until started. */
export function makeHost(parts: HostParts): PoweredHost {
  const { link } = parts;
  const carriers: ProcessId[] = [];
  const first = (): ProcessId => {
    const id = carriers[1];
    if (id === undefined || !alive(id)) throw new Error(`${parts.name} is off`);
    return id;
  };
  const exec: FleetHost['exec'] = (argv, options = {}) =>
    run('nsenter', [`--target=${first().pid}`, ...namespaces, '--', ...argv], {
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root' },
      ...options,
    });
  const inside = async (argv: readonly string[], options?: RunOptions): Promise<string> => {
    const ran = await exec(argv, options);
    if (ran.status !== 0) throw new Error(`${parts.name}: ${argv.join(' ')}: ${ran.stderr.trim()}`);
    return ran.stdout;
  };
  const processes = (): HostProcess[] => processesBeside(first());
  return {
    name: parts.name,
    address: link.address,
    port,
    hostKey: parts.hostKey,
    home: (user) => (user === 'root' ? '/root' : `/home/${user}`),
    exec,
    readFile: (path) => inside(['cat', '--', path]),
    writeFile: async (path, content, mode = '0644') => {
      const script = 'cat >"$1" && chmod "$2" "$1"';
      await inside(['sh', '-c', script, 'sh', path, mode], { input: content });
    },
    stop: async (answer = 'silence') => {
      await setCable(link, 'down');
      await endCarriers(carriers.splice(0));
      if (answer === 'refuse') await setCable(link, 'up');
    },
    start: async () => {
      if (carriers[1] !== undefined && alive(carriers[1])) return;
      carriers.length = 0;
      await setCable(link, 'up');
      await powerOn(parts, (id) => carriers.push(id));
    },
    pauseNetwork: () => setCable(link, 'down'),
    resumeNetwork: () => setCable(link, 'up'),
    processes,
    agentPids: () =>
      processes()
        .filter((one) => /(^|\/)(node|towline-agent)$/.test(one.argv[0] ?? one.name))
        .map((one) => one.pid),
    overlayTree: () => readOverlay(join(parts.folder, 'upper')),
    bytes: () => trafficOf(link),
    carriers: () => carriers,
  };
}

/** Starts the host's first process in new namespaces and waits for its ssh server; names each process as soon as it is known. */
async function powerOn(parts: HostParts, started: (id: ProcessId) => void): Promise<void> {
  const { folder, link, network } = parts;
  const ready = join(folder, 'init.stat');
  rmSync(ready, { force: true });
  const log = openSync(join(folder, 'console.log'), 'a');
  const init = [join(import.meta.dirname, 'host-init.sh'), parts.fleet, folder, parts.name];
  const wires = [withPrefix(link), network.gateway, network.gatewayMac];
  const child = spawn(
    'nsenter',
    [
      `--net=/run/netns/${link.namespace}`,
      ...['unshare', '--mount', '--uts', '--ipc', '--pid', '--fork', '--kill-child=KILL'],
      ...['sh', ...init, ...wires, parts.init, parts.runtime],
    ],
    { detached: true, stdio: ['ignore', log, log], cwd: '/', env: { PATH: process.env.PATH } },
  );
  closeSync(log);
  child.unref();
  const keeper = identify(child.pid ?? 0);
  if (keeper === undefined) throw new Error(`${parts.name} did not start`);
  started(keeper);
  started(await firstProcess(ready, keeper, folder));
  await answering(link.address);
}

async function firstProcess(ready: string, keeper: ProcessId, folder: string): Promise<ProcessId> {
  for (let tries = 0; tries < 10_000; tries += 1) {
    const text = readIfThere(ready);
    const id = text.endsWith('\n') ? identify(Number(text.trim())) : undefined;
    if (id !== undefined) return id;
    if (!alive(keeper)) break;
    await sleep(3);
  }
  await end(keeper);
  throw new Error(`a test host did not come up: ${readIfThere(join(folder, 'console.log'))}`);
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

async function answering(address: string): Promise<void> {
  for (let tries = 0; tries < 1000; tries += 1) {
    if (await accepts(address)) return;
    await sleep(10);
  }
  throw new Error(`no ssh server answers at ${address}`);
}

function accepts(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
