import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { accountExample } from '../../../agent/facts/account.ts';
import { customExample } from '../../../agent/facts/custom.ts';
import type { FactExample, NodeKnowledge, Observed } from '../../../agent/facts/fact.ts';
import { factTable } from '../../../agent/facts/gather.ts';
import { hardwareExample } from '../../../agent/facts/hardware.ts';
import { initSystemExample } from '../../../agent/facts/init-system.ts';
import { machineIdExample } from '../../../agent/facts/machine-id.ts';
import { mountsExample } from '../../../agent/facts/mounts.ts';
import { networkExample } from '../../../agent/facts/network.ts';
import { osExample } from '../../../agent/facts/os.ts';
import { packageManagerExample } from '../../../agent/facts/package-manager.ts';
import { uptimeExample } from '../../../agent/facts/uptime.ts';
import { virtualizationExample } from '../../../agent/facts/virtualization.ts';
import type { FactName } from '../../../agent/protocol/facts.ts';

const folder = join(import.meta.dirname, '../../cases/facts');
const names = Object.keys(factTable) as FactName[];

const examples: { readonly [K in FactName]: FactExample<K> } = {
  os: osExample,
  hardware: hardwareExample,
  network: networkExample,
  packageManager: packageManagerExample,
  initSystem: initSystemExample,
  virtualization: virtualizationExample,
  mounts: mountsExample,
  account: accountExample,
  uptime: uptimeExample,
  machineId: machineIdExample,
  custom: customExample,
};

const node: NodeKnowledge = {
  hostname: 'web1',
  kernel: '6.1.0',
  architecture: 'x64',
  user: { name: 'root', uid: 0, gid: 0, home: '/root' },
  interfaces: {},
};

interface Case {
  readonly observed: Partial<Observed>;
  readonly expected?: unknown;
  readonly error?: string;
}

const parse = (name: FactName, observed: Partial<Observed>): unknown =>
  factTable[name].parse({ files: {}, present: [], node, ...observed });

describe.each(names)('fact %s', (name) => {
  it('gives the value of its example, from what it says it reads', () => {
    const { observed, value } = examples[name];
    expect(parse(name, observed)).toEqual(value);
    const { files = [], probes = [] } = factTable[name];
    for (const path of Object.keys(observed.files ?? {})) {
      expect(files.map((pattern) => pattern.replace(/\*\.json$/, 'rack.json'))).toContain(path);
    }
    for (const path of observed.present ?? []) expect(probes).toContain(path);
  });

  const files = readdirSync(join(folder, name));
  it.each(files.map((file) => file.replace(/\.json$/, '')))('%s', (title) => {
    const { observed, expected, error } = JSON.parse(
      readFileSync(join(folder, name, `${title}.json`), 'utf8'),
    ) as Case;
    if (error === undefined) expect(parse(name, observed)).toEqual(expected);
    else expect(() => parse(name, observed)).toThrow(error);
  });
});
