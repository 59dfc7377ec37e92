/**
 * One hundred small commands in one role on one host: the whole `apply` process and a running reconciler, near and far.
 * Invariant: every round really runs all hundred programs, ours and the peers'; far means through a link that delays every byte.
 * Never counts setting the stage.
 */

import type { RunEvent } from '../../reconciler/base/event.ts';
import { type Bench, type BenchContext, type Figure, median, repeat, timed } from './bench.ts';
import { Ansible, type Flavour, flavours } from './peers/ansible.ts';
import { WarmSsh } from './peers/warm-ssh.ts';
import { onStage, type Stage } from './stage.ts';

const count = 100;
const rounds = 7;
const files = { 'roles/many/role.ts': role(0) };
const play = {
  tasks: [{ 'ansible.builtin.command': 'hostname', loop: Array.from({ length: count }, (_, n) => n) }],
};

function role(round: number): string {
  return `import { command, defineRole } from 'towline';

export default defineRole({
  resources: () =>
    Array.from({ length: ${count} }, (_, index) =>
      command(\`name \${index}\`, { argv: ['hostname'], env: { ROUND: '${round}' } }),
    ),
});
`;
}

export const commands100: Bench = {
  name: 'commands-100',
  summary: `${count} × hostname in one role on one host, near and far`,
  minutes: 4,
  parts: [
    (context) => onStage({ hosts: 1, user: 'root', files }, (stage) => near(stage, context)),
    (context) => onStage({ hosts: 1, user: 'root', files, linked: true }, (stage) => far(stage, context)),
  ],
};

async function near(stage: Stage, context: BenchContext): Promise<readonly Figure[]> {
  const keyFile = stage.fleet.clientKeyFile;
  const ansible = new Ansible(context.peers, { targets: stage.targets, user: 'root', keyFile });
  const floor = await hostnameOverSsh(stage);
  await stage.cli(['apply']);
  const processes: number[] = [];
  const peers: Record<Flavour, number[]> = { Mitogen: [], 'Ansible, pipelining': [], Ansible: [] };
  for (let round = 0; round < 3; round += 1) {
    for (let turn = 0; turn < 2; turn += 1)
      processes.push((await stage.cli(['apply', '--force'])).milliseconds);
    for (const flavour of round === 1 ? flavours : (['Mitogen'] as const))
      peers[flavour].push(await peerRun(ansible, flavour));
  }
  await ansible.close();
  const { times, bytes } = await inRunningReconciler(stage);
  const beside = { ...medians(peers), OpenSSH: floor };
  return [
    {
      ...{ name: 'the whole apply process', value: median(processes), unit: 'ms', beside },
      budget: { of: 'Mitogen', share: 1 / 8 },
    },
    {
      ...{ name: 'in a running reconciler, role saved → run over', value: median(times), unit: 'ms', beside },
      budget: { of: 'Mitogen', share: 1 / 20 },
    },
    { name: 'bytes on the cable to the host, warm line', value: median(bytes), unit: 'B' },
  ];
}

async function far(stage: Stage, context: BenchContext): Promise<readonly Figure[]> {
  const keyFile = stage.fleet.clientKeyFile;
  const [link] = stage.links;
  const local = await inRunningReconciler(stage);
  const at = async (roundTrip: number): Promise<Figure> => {
    stage.roundTrip(roundTrip);
    const { times } = await inRunningReconciler(stage, 4);
    const ansible = new Ansible(context.peers, { targets: stage.targets, user: 'root', keyFile });
    const mitogen =
      roundTrip === 30 ? await ansible.run({ flavour: 'Mitogen', play, changes: true }) : undefined;
    await ansible.close();
    return {
      ...{ name: `running, ${roundTrip} ms away`, value: median(times), unit: 'ms' },
      budget: { of: 'local', share: 1, plus: 2 * roundTrip },
      beside: { local: median(local.times), ...(mitogen !== undefined && { Mitogen: mitogen }) },
    };
  };
  const figures = [await at(30), await at(180)];
  if (link === undefined) throw new Error('there is no link');
  return [
    {
      name: 'round trips on a warm line',
      value: median(local.roundTrips),
      unit: 'count',
      budget: { most: 3 },
    },
    { name: 'bytes up on a warm line', value: median(local.bytes), unit: 'B', budget: { most: 30_000 } },
    ...figures,
  ];
}

async function peerRun(ansible: Ansible, flavour: Flavour): Promise<number> {
  if (flavour === 'Ansible, pipelining')
    await ansible.run({ flavour, play: { tasks: [{ raw: 'true' }] }, changes: true });
  return (await ansible.run({ flavour, play, changes: true })) ?? Number.NaN;
}

function medians(samples: Readonly<Record<Flavour, readonly number[]>>): Partial<Record<Flavour, number>> {
  const some = Object.entries(samples).filter(([, times]) => times.some(Number.isFinite));
  return Object.fromEntries(some.map(([flavour, times]) => [flavour, median(times)]));
}

/** A shell on the host that is fed a hundred lines. */
async function hostnameOverSsh(stage: Stage): Promise<number> {
  const [target] = stage.targets;
  if (target === undefined) throw new Error('there is no host');
  const ssh = await WarmSsh.open(target, { user: 'root', keyFile: stage.fleet.clientKeyFile });
  const times = await repeat(5, () => ssh.run('sh', 'hostname\n'.repeat(count)));
  await ssh.close();
  return median(times);
}

interface Rounds {
  readonly times: readonly number[];
  readonly bytes: readonly number[];
  readonly roundTrips: readonly number[];
}

/** Saves the role anew each round; bytes are counted on the link, or else on the host's cable. */
async function inRunningReconciler(stage: Stage, times = rounds): Promise<Rounds> {
  const [host] = stage.fleet.hosts;
  const [link] = stage.links;
  const finished = (event: RunEvent): boolean => event.type === 'run-finished';
  const reconciler = stage.start(['watch', '--json']);
  const first = reconciler.event(finished);
  stage.save('roles/many/role.ts', role(Date.now()));
  await first;
  const taken = await repeat(times, async (round) => {
    link?.reset();
    const before = host?.bytes().toHost ?? 0;
    const done = reconciler.event(finished);
    const milliseconds = await timed(async () => {
      stage.save('roles/many/role.ts', role(Date.now() + round));
      const event = await done;
      if (event.type !== 'run-finished' || event.summary.resources.changed !== count)
        throw new Error(`a round did not run ${count} commands: ${JSON.stringify(event)}`);
    });
    const bytes = link?.crossed('up').bytes ?? (host?.bytes().toHost ?? 0) - before;
    return { milliseconds, bytes, roundTrips: Math.ceil((link?.turns ?? 0) / 2) };
  });
  await reconciler.stop();
  return {
    times: taken.map((one) => one.milliseconds),
    bytes: taken.map((one) => one.bytes),
    roundTrips: taken.map((one) => one.roundTrips),
  };
}
