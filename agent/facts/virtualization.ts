/**
 * Fact `virtualization`: docker, podman, lxc …, kvm, vmware …; `none` on bare metal.
 * Invariant: a container counts before the machine it runs on; only files any account may read are asked.
 * Pure.
 */

import { type Fact, type FactExample, firstSign, pathsOf } from './fact.ts';

const container = '/run/systemd/container';
const xen = '/sys/hypervisor/type';
const kernel = '/proc/sys/kernel/osrelease';
const clocks = '/sys/devices/system/clocksource/clocksource0/available_clocksource';
const vendor = '/sys/class/dmi/id/sys_vendor';
const product = '/sys/class/dmi/id/product_name';

const containers = [
  ['/run/.containerenv', 'podman'],
  ['/.dockerenv', 'docker'],
  ['/dev/lxd/sock', 'lxc'],
] as const;

const machines: readonly (readonly [RegExp, string])[] = [
  [/VMware/, 'vmware'],
  [/VirtualBox|innotek/, 'virtualbox'],
  [/Microsoft.*Virtual Machine/s, 'hyperv'],
  [/Parallels/, 'parallels'],
  [/Xen/, 'xen'],
  [/KVM|Amazon EC2|Google Compute|OpenStack|DigitalOcean|Hetzner/, 'kvm'],
  [/QEMU|Bochs/, 'qemu'],
];

export const virtualization: Fact<'virtualization'> = {
  files: [container, xen, kernel, clocks, vendor, product],
  probes: pathsOf(containers),
  parse(observed) {
    const { files } = observed;
    const inside = firstSign(containers, observed) ?? files[container]?.trim();
    if (inside) return inside;
    if (/microsoft/i.test(files[kernel] ?? '')) return 'wsl';
    const isKvm = files[clocks]?.includes('kvm-clock');
    const board = `${files[vendor] ?? ''} ${files[product] ?? ''}`;
    const machine = machines.find(([pattern]) => pattern.test(board))?.[1];
    if (machine !== undefined) return machine === 'qemu' && isKvm ? 'kvm' : machine;
    if (isKvm) return 'kvm';
    return files[xen]?.trim() || 'none';
  },
};

export const virtualizationExample: FactExample<'virtualization'> = {
  observed: {
    files: { '/sys/class/dmi/id/sys_vendor': 'QEMU\n', '/sys/class/dmi/id/product_name': 'Standard PC\n' },
  },
  value: 'qemu',
};
