/**
 * The fleet's network: one bridge, one veth pair a host, addresses nobody else here uses.
 * Invariant: the bridge's name is the claim on its address block, so two fleets never share one.
 * Never lets broadcasts reach the hosts: neighbours are fixed and IPv6 is off, so a host's counters show its own traffic.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { must, run } from './run.ts';

/** A /20: room for some 4,000 hosts. */
export interface Network {
  readonly bridge: string;
  readonly gateway: string;
  readonly gatewayMac: string;
  /** First address of the block as a number. */
  readonly base: number;
}

export interface Link {
  readonly namespace: string;
  /** The end of the pair outside the host. */
  readonly veth: string;
  readonly address: string;
  readonly mac: string;
}

const prefix = 20;
const blockSize = 2 ** (32 - prefix);
/** Where blocks are looked for: a private range first, then the one set aside for benchmarks. */
const ranges = [numberOf('10.77.0.0'), numberOf('198.18.0.0')];
const blocksPerRange = 32;
const firstHost = 10;

/** Claims a free block and raises its bridge. */
export async function raiseNetwork(): Promise<Network> {
  for (const [block, base] of blocks().entries()) {
    if (routed(base)) continue;
    const network = describe(block, base);
    const claimed = await run('ip', [
      ...['link', 'add', network.bridge, 'address', network.gatewayMac],
      ...['type', 'bridge', 'mcast_snooping', '0'],
    ]);
    if (claimed.status !== 0) {
      if (claimed.stderr.includes('File exists')) continue;
      throw new Error(`cannot make a bridge: ${claimed.stderr.trim()}`);
    }
    silenceIpv6(network.bridge);
    await batch([
      `addr add ${network.gateway}/${prefix} dev ${network.bridge}`,
      `link set ${network.bridge} up`,
    ]);
    return network;
  }
  throw new Error('no free address block in 10.77.0.0/15 and 198.18.0.0/15 for test hosts');
}

/** The link of host number `index`; computed, so that it can be removed without asking. */
export function linkOf(network: Network, index: number): Link {
  const own = network.base + firstHost + index;
  const hex = own.toString(16).padStart(8, '0');
  return {
    namespace: `${network.bridge}-${index}`,
    veth: `${network.bridge}v${index}`,
    address: addressOf(own),
    mac: `02:77:${hex.match(/../g)?.join(':')}`,
  };
}

/** The address with its prefix length, as `ip` wants it inside the host. */
export function withPrefix(link: Link): string {
  return `${link.address}/${prefix}`;
}

/** Makes the namespaces and cables of all hosts in one program run. */
export async function raiseLinks(network: Network, links: readonly Link[]): Promise<void> {
  await batch(
    links.flatMap((link) => [
      `netns add ${link.namespace}`,
      `link add ${link.veth} type veth peer name eth0 address ${link.mac} netns ${link.namespace}`,
    ]),
  );
  for (const link of links) silenceIpv6(link.veth);
  await batch(
    links.flatMap((link) => [
      `link set ${link.veth} master ${network.bridge} up`,
      `neigh replace ${link.address} lladdr ${link.mac} dev ${network.bridge} nud permanent`,
    ]),
  );
}

/** Takes everything away again; what is gone already is no failure. */
export async function razeNetwork(network: Network, links: readonly Link[]): Promise<void> {
  const lines = links.flatMap((link) => [`link del ${link.veth}`, `netns del ${link.namespace}`]);
  await run('ip', ['-force', '-batch', '-'], { input: lines.join('\n') });
  await run('ip', ['link', 'del', network.bridge]);
}

/** Plugs or unplugs the host's cable. */
export async function setCable(link: Link, state: 'up' | 'down'): Promise<void> {
  await must('ip', ['link', 'set', link.veth, state]);
}

/** Bytes and packets that went to the host and came from it since its cable was made. */
export interface Traffic {
  readonly toHost: number;
  readonly fromHost: number;
  readonly packetsToHost: number;
  readonly packetsFromHost: number;
}

/** Reads the counters of the outer end: what it sends is what the host gets. */
export function trafficOf(link: Link): Traffic {
  const count = (name: string): number =>
    Number(readFileSync(`/sys/class/net/${link.veth}/statistics/${name}`, 'utf8'));
  return {
    toHost: count('tx_bytes'),
    fromHost: count('rx_bytes'),
    packetsToHost: count('tx_packets'),
    packetsFromHost: count('rx_packets'),
  };
}

function describe(block: number, base: number): Network {
  const hex = (base + 1).toString(16).padStart(8, '0');
  return {
    bridge: `towline${block}`,
    gateway: addressOf(base + 1),
    gatewayMac: `02:77:${hex.match(/../g)?.join(':')}`,
    base,
  };
}

function blocks(): number[] {
  return ranges.flatMap((start) =>
    Array.from({ length: blocksPerRange }, (_, block) => start + block * blockSize),
  );
}

async function batch(lines: readonly string[]): Promise<void> {
  await must('ip', ['-batch', '-'], { input: lines.join('\n') });
}

function silenceIpv6(device: string): void {
  try {
    writeFileSync(`/proc/sys/net/ipv6/conf/${device}/disable_ipv6`, '1');
  } catch {
    // A kernel without IPv6 has nothing to silence.
  }
}

/** Whether a route other than the default one already leads into the block. */
function routed(base: number): boolean {
  const lines = readFileSync('/proc/net/route', 'utf8').trim().split('\n').slice(1);
  return lines.some((line) => {
    const fields = line.split('\t');
    const mask = swapped(fields[7] ?? '0');
    const destination = swapped(fields[1] ?? '0');
    if (mask === 0) return false;
    const size = 2 ** 32 - mask;
    return destination < base + blockSize && base < destination + size;
  });
}

/** /proc/net/route has addresses in hexadecimal, last byte first. */
function swapped(hex: string): number {
  return Buffer.from(hex.padStart(8, '0'), 'hex').readUInt32LE();
}

function addressOf(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
}

function numberOf(address: string): number {
  return address.split('.').reduce((total, part) => total * 256 + Number(part), 0);
}
