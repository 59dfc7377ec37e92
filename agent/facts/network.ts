/**
 * Fact `network`: names, interfaces and the way out.
 * Invariant: `primary` is the interface of the default route with the lowest metric and its first address; IPv4 before IPv6.
 * Pure.
 */

import type { Facts } from '../protocol/facts.ts';
import type { Fact, FactExample, NodeKnowledge } from './fact.ts';

type Interfaces = NonNullable<Facts['network']>['interfaces'];
type Family = 'ipv4' | 'ipv6';
interface Route {
  readonly interface: string;
  readonly metric: number;
}

const route4 = '/proc/net/route';
const route6 = '/proc/net/ipv6_route';
const hosts = '/etc/hosts';
const resolver = '/etc/resolv.conf';
const routeIsUp = 1;

export const network: Fact<'network'> = {
  files: [route4, route6, hosts, resolver],
  parse({ files, node }) {
    const interfaces = describeInterfaces(node.interfaces);
    const [hostname = '', ...rest] = node.hostname.split('.');
    const domain = rest.join('.') || domainOf(hostname, files[hosts] ?? '', files[resolver] ?? '');
    const primary =
      primaryOf(defaultRoutes(files[route4] ?? '', readRoute4), interfaces, 'ipv4') ??
      primaryOf(defaultRoutes(files[route6] ?? '', readRoute6), interfaces, 'ipv6');
    return { hostname, domain, primary: primary ?? null, interfaces };
  },
};

export const networkExample: FactExample<'network'> = {
  observed: {
    files: {
      '/proc/net/route':
        'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n' +
        'eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\n',
      '/etc/hosts': '127.0.0.1 localhost\n10.0.0.7 web1.example.org web1\n',
    },
    node: {
      hostname: 'web1',
      kernel: '6.1.0',
      architecture: 'x64',
      user: { name: 'root', uid: 0, gid: 0, home: '/root' },
      interfaces: { eth0: [{ cidr: '10.0.0.7/24', mac: '52:54:00:00:00:07', internal: false }] },
    },
  },
  value: {
    hostname: 'web1',
    domain: 'example.org',
    primary: { interface: 'eth0', address: '10.0.0.7' },
    interfaces: {
      eth0: {
        mac: '52:54:00:00:00:07',
        addresses: [{ address: '10.0.0.7', prefix: 24, family: 'ipv4' }],
      },
    },
  },
};

function describeInterfaces(interfaces: NodeKnowledge['interfaces']): Interfaces {
  const describe = ({ cidr }: { readonly cidr: string }) => {
    const [address = '', prefix = ''] = cidr.split('/');
    const family: Family = address.includes(':') ? 'ipv6' : 'ipv4';
    return { address, prefix: Number(prefix), family };
  };
  return Object.fromEntries(
    Object.entries(interfaces).map(([name, entries]) => [
      name,
      { mac: entries[0]?.mac ?? '', addresses: entries.map(describe) },
    ]),
  );
}

/** The default routes among lines of words, by what `read` makes of each. */
function defaultRoutes(
  text: string,
  read: (words: readonly string[]) => Route & { readonly flags?: string | undefined },
): Route[] {
  return text.split('\n').flatMap((line) => {
    const { flags = '0', ...route } = read(line.trim().split(/\s+/));
    return Number.parseInt(flags, 16) & routeIsUp ? [route] : [];
  });
}

/** interface, destination, gateway, flags, …, metric, mask; numbers in hexadecimal but the metric. Flags only of a default route. */
function readRoute4([name = '', destination, , flags, , , metric, mask]: readonly string[]) {
  const isDefault = destination === '00000000' && mask === '00000000';
  return { interface: name, metric: Number(metric), flags: isDefault ? flags : '0' };
}

/** destination, its prefix, …, metric (6th), flags (9th), interface (10th), all hexadecimal. */
function readRoute6([destination, prefix, , , , metric = '', , , flags, name = '']: readonly string[]) {
  const isDefault = destination === '0'.repeat(32) && prefix === '00' && name !== 'lo';
  return { interface: name, metric: Number.parseInt(metric, 16), flags: isDefault ? flags : '0' };
}

function primaryOf(routes: readonly Route[], interfaces: Interfaces, family: Family) {
  const [best] = [...routes].sort((a, b) => a.metric - b.metric);
  const addresses = interfaces[best?.interface ?? '']?.addresses.filter((entry) => entry.family === family);
  const chosen = addresses?.find((entry) => !entry.address.startsWith('fe80:')) ?? addresses?.[0];
  return best && chosen && { interface: best.interface, address: chosen.address };
}

/** The domain by the host's own line in /etc/hosts, else by the resolver's settings. */
function domainOf(hostname: string, hostsText: string, resolverText: string): string {
  for (const line of hostsText.split('\n')) {
    const names = line.replace(/#.*/, '').trim().split(/\s+/).slice(1);
    const full = names.find((name) => name.startsWith(`${hostname}.`));
    if (full !== undefined) return full.slice(hostname.length + 1);
  }
  return /^(?:domain|search)[ \t]+([^\s.]\S*)/m.exec(resolverText)?.[1] ?? '';
}
