/**
 * A policy repository and facts for a large fleet: groups, variables on every level, roles that read a few of each.
 * Invariant: the same counts give the same text; no two hosts are equal in everything.
 * Never touches a host.
 */

import type { Facts } from '../../agent/protocol/facts.ts';

export interface FleetSize {
  readonly hosts: number;
  readonly roles: number;
}

const regions = ['north', 'east', 'south', 'west', 'center'];
const tiers = ['web', 'app', 'db', 'cache', 'queue', 'batch', 'edge', 'test'];

/** The files of the policy. */
export function largePolicy(size: FleetSize): Record<string, string> {
  const files: Record<string, string> = {
    'towline.toml': '[environments.large]\nbranch = "main"\ninventory = "inventory.toml"\n',
    'inventory.toml': largeInventory(size),
  };
  for (let index = 0; index < size.roles; index += 1) {
    const folder = `roles/${roleName(index)}`;
    files[`${folder}/role.ts`] = roleText(index, false);
    files[`${folder}/templates/app.conf.njk`] = templateText('first');
  }
  return files;
}

/** What a commit to one role changes. */
export function templateText(word: string): string {
  return `# ${word}\nlisten {{ port }}\nregion {{ region }}\nworkers {{ workers }}\n`;
}

/** `role07` */
export function roleName(index: number): string {
  return `role${String(index).padStart(2, '0')}`;
}

/** `host00042` */
export function hostName(index: number): string {
  return `host${String(index).padStart(5, '0')}`;
}

/** A role that reads variables of groups and two facts; with `own` also a variable that differs on each host. */
export function roleText(index: number, own: boolean): string {
  const name = roleName(index);
  return `import { defineRole, directory, template${own ? ', file' : ''} } from 'towline';

export default defineRole({
  variables: { port: ${8000 + index}, level_${index % 5}: 'none' },
  resources: ({ vars, facts }) => [
    directory('/srv/${name}', { mode: '0755' }),
    template('/srv/${name}/app.conf', {
      from: 'app.conf.njk',
      vars: { port: vars.port, region: vars.region, workers: facts.hardware?.processors ?? 1 },
    }),
    directory(\`/srv/${name}/\${facts.os?.family ?? 'unknown'}-\${vars.level_${index % 5}}\`),
${own ? `    file('/srv/${name}/number', { content: \`\${vars.number}\\n\` }),\n` : ''}  ],
});
`;
}

function largeInventory({ hosts }: FleetSize): string {
  const names = Array.from({ length: hosts }, (_, index) => hostName(index));
  const part = (
    title: string,
    chosen: (index: number) => boolean,
    line: (index: number) => string,
  ): string[] => [
    `[groups.${title}.hosts]`,
    ...names.flatMap((_, index) => (chosen(index) ? [line(index)] : [])),
    '',
  ];
  const byTier = tiers.flatMap((tier, at) => [
    ...part(
      tier,
      (index) => index % tiers.length === at,
      (index) =>
        `${names[index]} = { towline_host = "10.${index >> 16}.${(index >> 8) & 255}.${index & 255}", number = ${index} }`,
    ),
    `[groups.${tier}.vars]`,
    `level_${at % 5} = "${tier}"`,
    '',
  ]);
  const byRegion = regions.flatMap((region, at) => [
    ...part(
      region,
      (index) => index % regions.length === at,
      (index) => `${names[index]} = {}`,
    ),
    `[groups.${region}.vars]`,
    `region = "${region}"`,
    '',
  ]);
  return [...byTier, ...byRegion].join('\n');
}

/** What the agent of a host would have said. */
export function largeFacts(index: number): Facts {
  const address = `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`;
  const family = index % 3 === 0 ? 'redhat' : 'debian';
  return {
    os: {
      family,
      distribution: family === 'debian' ? 'debian' : 'rocky',
      version: '12',
      codename: 'bookworm',
      kernel: '6.1.0-30-amd64',
      architecture: 'x64',
    },
    hardware: {
      processors: [2, 4, 8][index % 3] as number,
      memoryBytes: 8_345_600_000 + index,
      swapBytes: 0,
    },
    network: {
      hostname: hostName(index),
      domain: 'example.org',
      primary: { interface: 'eth0', address },
      interfaces: {
        lo: { mac: '00:00:00:00:00:00', addresses: [{ address: '127.0.0.1', prefix: 8, family: 'ipv4' }] },
        eth0: { mac: '52:54:00:12:34:56', addresses: [{ address, prefix: 16, family: 'ipv4' }] },
      },
    },
    packageManager: family === 'debian' ? 'apt' : 'dnf',
    initSystem: 'systemd',
    virtualization: 'kvm',
    mounts: ['/', '/boot', '/var', '/home', '/srv'].map((path, at) => ({
      path,
      device: `/dev/vda${at + 1}`,
      type: 'ext4',
      readOnly: false,
    })),
    account: { user: 'root', uid: 0, gid: 0, home: '/root' },
    uptime: 1000 + index,
    machineId: index.toString(16).padStart(32, '0'),
    custom: {},
  };
}
