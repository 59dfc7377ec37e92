/**
 * Saving a template in the working tree until its new content is on real hosts, seen from outside the hosts.
 * Invariant: a sample runs from before the write to the moment when the file of the last host's disk holds the new text.
 * Never asks Towline when it was done.
 */

import { readFileSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Bench, type BenchContext, type Figure, median, quantile, repeat } from './bench.ts';
import { Ansible, type Flavour, flavours } from './peers/ansible.ts';
import { onStage, type Stage } from './stage.ts';

const folder = 'etc/towline-bench';
const role = `import { defineRole, directory, template } from 'towline';

export default defineRole({
  variables: { port: 8080 },
  resources: ({ vars, host, facts }) => [
    directory('/${folder}', { mode: '0755' }),
    template('/${folder}/app.conf', {
      from: 'app.conf.njk',
      mode: '0644',
      vars: { port: vars.port, name: host.name, family: facts.os?.family ?? 'unknown' },
    }),
  ],
});
`;

interface Size {
  readonly label: string;
  readonly hosts: number;
  readonly account: { readonly user: string; readonly vars?: Readonly<Record<string, string>> };
  readonly warmUps: number;
  readonly samples: number;
  /** Milliseconds of the median. */
  readonly budget: number;
  /** Runs of each peer; none: they are left out. */
  readonly peers: Readonly<Partial<Record<Flavour, number>>>;
}

const root = { user: 'root' };
const sizes: readonly Size[] = [
  {
    ...{ label: '1 host', hosts: 1, account: root, warmUps: 20, samples: 120, budget: 10 },
    peers: { Mitogen: 3, 'Ansible, pipelining': 5, Ansible: 3 },
  },
  {
    ...{ label: '1 host, sudo', hosts: 1, account: { user: 'deploy', vars: { towline_become: 'sudo' } } },
    ...{ warmUps: 20, samples: 60, budget: 10, peers: {} },
  },
  {
    ...{ label: '30 hosts', hosts: 30, account: root, warmUps: 5, samples: 30, budget: 120 },
    peers: { Mitogen: 1, 'Ansible, pipelining': 2 },
  },
];

export const templateEdited: Bench = {
  name: 'template-edited',
  summary: 'one template edited in watch mode: from the save to its content on the last host, warm lines',
  minutes: 4,
  parts: sizes.map((size) => (context) => measure(size, context)),
};

function measure(size: Size, context: BenchContext): Promise<readonly Figure[]> {
  const { hosts, account, label } = size;
  const files = { 'roles/app/role.ts': role, 'roles/app/templates/app.conf.njk': 'start\n' };
  return onStage({ hosts, files, ...account }, async (stage) => {
    const times = await saves(stage, size);
    const beside = await peersOn(stage, size, context);
    return [
      {
        ...{ name: `save → applied, ${label}, median`, value: median(times), unit: 'ms', beside },
        ...{ budget: { most: size.budget }, growth: { line: 'watching', of: 'save to applied', at: hosts } },
      },
      { name: `save → applied, ${label}, 95th percentile`, value: quantile(times, 0.95), unit: 'ms' },
      { name: `save → applied, ${label}, fastest`, value: Math.min(...times), unit: 'ms' },
    ];
  });
}

async function saves(stage: Stage, { warmUps, samples }: Size): Promise<readonly number[]> {
  const running = stage.start(['watch', '--json']);
  await running.event((event) => event.type === 'run-finished');
  try {
    const times = await repeat(warmUps + samples, async (index) => {
      const time = await oneSave(stage, index);
      await pause(30 + (index % 7) * 5 + stage.fleet.hosts.length * 5);
      return time;
    });
    return times.slice(warmUps);
  } finally {
    await running.stop();
  }
}

/** Saves once; milliseconds until the disk of every host has it. */
async function oneSave(stage: Stage, index: number): Promise<number> {
  const text = `number ${index}\nlisten {{ port }}\nname {{ name }} on {{ family }}\n`;
  const seen = Promise.withResolvers<number>();
  const missing = new Set(
    stage.fleet.hosts.map(({ name }) => join(stage.fleet.folder, name, 'upper', folder)),
  );
  const look = (onDisk: string): void => {
    if (!readFileSync(join(onDisk, 'app.conf'), 'utf8').startsWith(`number ${index}\n`)) return;
    missing.delete(onDisk);
    if (missing.size === 0) seen.resolve(performance.now());
  };
  const watchers = [...missing].map((onDisk) => watch(onDisk, () => look(onDisk)));
  const poll = setInterval(() => missing.forEach(look), 2 + stage.fleet.hosts.length / 3);
  const late = setTimeout(() => seen.reject(new Error(`save ${index} did not arrive`)), 20_000);
  try {
    const startedAt = performance.now();
    stage.save('roles/app/templates/app.conf.njk', text);
    return (await seen.promise) - startedAt;
  } finally {
    for (const watcher of watchers) watcher.close();
    clearInterval(poll);
    clearTimeout(late);
  }
}

/** The same with a play of one template; its first run makes everything warm that can be. */
async function peersOn(stage: Stage, size: Size, { peers }: BenchContext): Promise<Figure['beside']> {
  const keyFile = stage.fleet.clientKeyFile;
  const ansible = new Ansible(peers, { targets: stage.targets, user: 'root', keyFile });
  const source = join(ansible.files, 'app.conf.j2');
  const vars = { port: 8080, name: '{{ inventory_hostname }}', family: 'debian' };
  const task = { template: { src: source, dest: `/${folder}/peer.conf`, mode: '0644' }, vars };
  const beside: Partial<Record<Flavour, number>> = {};
  let number = 0;
  const once = async (flavour: Flavour): Promise<number> => {
    number += 1;
    writeFileSync(source, `number ${number}\nlisten {{ port }}\nname {{ name }} on {{ family }}\n`);
    return (await ansible.run({ flavour, play: { tasks: [task] }, changes: true })) ?? Number.NaN;
  };
  for (const flavour of flavours) {
    const runs = size.peers[flavour] ?? 0;
    if (runs === 0 || !ansible.can(flavour)) continue;
    if (size.hosts === 1 || flavour === 'Ansible, pipelining') await once(flavour);
    beside[flavour] = median(await repeat(runs, () => once(flavour)));
  }
  await ansible.close();
  return beside;
}
