/**
 * A role of 40 resources as a user with sudo: first apply, and nothing to change, on 1, 10 and 30 hosts, near and far.
 * Invariant: first applies meet hosts on which the role never was; looking asks the hosts about every resource, as peers do.
 * Never counts setting the stage.
 */

import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunEvent } from '../../reconciler/base/event.ts';
import { ConnectionPool, poolOptions } from '../../reconciler/connection/pool.ts';
import { commitFiles } from '../helpers/git-repository.ts';
import { type Bench, type BenchContext, type Figure, median, repeat, timed } from './bench.ts';
import { Ansible, type Flavour, flavours } from './peers/ansible.ts';
import { openPlanner } from './planner.ts';
import { onStage, type Stage, type StageOptions } from './stage.ts';

const units = ['one.service', 'two.service', 'three.service'];
const packages = ['bash', 'coreutils', 'openssh-server', 'sudo', 'iproute2'];
const template = 'name {{ name }}\nnumber {{ index }}\n';

/** 6 directories, 5 installed packages, 20 templates with one handler, 6 lines, 3 services. */
function role(round: number): string {
  return `import { defineRole, directory, line, pkg, service, template } from 'towline';

const root = '/srv/bench-${round}';
const each = (count: number) => Array.from({ length: count }, (_, index) => index);

export default defineRole({
  resources: ({ host }) => [
    directory(root),
    ...each(5).map((index) => directory(\`\${root}/d\${index}\`)),
    ...${JSON.stringify(packages)}.map((name) => pkg(name)),
    ...each(20).map((index) =>
      template(\`\${root}/d\${index % 5}/t\${index}.conf\`, {
        from: 'one.njk',
        vars: { index, name: host.name },
        notify: 'reload',
      }),
    ),
    ...each(6).map((index) => line(\`\${root}/lines\`, { line: \`line \${index}\`, create: true })),
    ...${JSON.stringify(units)}.map((unit) => service(unit, { state: 'running' })),
  ],
  handlers: { reload: () => [service('one.service', { state: 'reloaded' })] },
});
`;
}

/** The same as a play. */
function play(round: number, files: string): Readonly<Record<string, unknown>> {
  const root = `/srv/peer-${round}`;
  const each = <T>(count: number, task: (index: number) => T): T[] =>
    Array.from({ length: count }, (_, index) => task(index));
  const source = join(files, 'one.j2');
  return {
    tasks: [
      { file: { path: root, state: 'directory' } },
      ...each(5, (index) => ({ file: { path: `${root}/d${index}`, state: 'directory' } })),
      ...packages.map((name) => ({ apt: { name, state: 'present' } })),
      ...each(20, (index) => ({
        template: { src: source, dest: `${root}/d${index % 5}/t${index}.conf` },
        vars: { index, name: '{{ inventory_hostname }}' },
        notify: 'reload',
      })),
      ...each(6, (index) => ({
        lineinfile: { path: `${root}/lines`, line: `line ${index}`, create: true },
      })),
      ...units.map((name) => ({ systemd: { name, state: 'started' } })),
    ],
    handlers: [{ name: 'reload', systemd: { name: 'one.service', state: 'reloaded' } }],
  };
}

const policy = { 'roles/forty/role.ts': role(0), 'roles/forty/templates/one.njk': template };
const stageOf = (hosts: number, linked = false): StageOptions => ({
  ...{ hosts, user: 'deploy', vars: { towline_become: 'sudo' }, files: policy, units, linked },
});

export const fortyResources: Bench = {
  name: 'forty-resources',
  summary: 'a role of 40 resources as a user with sudo: first apply, and nothing to change',
  minutes: 10,
  parts: [
    (context) => onStage(stageOf(1), (stage) => onHosts(stage, context)),
    (context) => onStage(stageOf(1, true), (stage) => far(stage, context)),
    (context) => onStage(stageOf(10), (stage) => onHosts(stage, context)),
    (context) => onStage(stageOf(30), (stage) => onHosts(stage, context)),
  ],
};

/** How often what is done, by the number of hosts: peers take their time. */
function plan(hosts: number): { readonly rounds: number; readonly flavours: readonly Flavour[] } {
  if (hosts === 1) return { rounds: 2, flavours };
  return { rounds: 1, flavours: ['Mitogen'] };
}

/** Hosts keep apt's cache as Debian does; without one, which images of containers do, each look at a package takes peers a second. */
async function keepPackageCache({ fleet }: Stage): Promise<void> {
  const kept = 'Dir::Cache::pkgcache "pkgcache.bin";\nDir::Cache::srcpkgcache "srcpkgcache.bin";\n';
  await Promise.all(
    fleet.hosts.map(async (host) => {
      await host.writeFile('/etc/apt/apt.conf.d/zz-package-cache', kept);
      await host.exec(['apt-cache', 'gencaches']);
    }),
  );
}

async function onHosts(stage: Stage, context: BenchContext): Promise<readonly Figure[]> {
  await keepPackageCache(stage);
  const hosts = stage.fleet.hosts.length;
  const title = hosts === 1 ? '1 host' : `${hosts} hosts`;
  const peers = await peersOn(stage, context, plan(hosts));
  const whole = await wholeProcesses(stage, hosts === 1 ? 5 : 2);
  const live = await lookingReconciler(stage, 5);
  const saved = await firstAppliesRunning(stage);
  const grows = (line: string, of: string): Pick<Figure, 'growth'> => ({ growth: { line, of, at: hosts } });
  const [first, nothing] = ['first apply', 'nothing to change'];
  return [
    {
      ...{ name: `${first}, ${title}, whole process`, value: median(whole.first), unit: 'ms' },
      ...{ budget: { of: 'Mitogen', share: 1 / 8 }, beside: peers.first, ...grows('process', first) },
    },
    {
      ...{ name: `${first}, ${title}, running reconciler`, value: median(saved), unit: 'ms' },
      ...{ budget: { of: 'Mitogen', share: 1 / 8 }, beside: peers.first, ...grows('reconciler', first) },
    },
    {
      ...{
        name: `${nothing}, ${title}, hosts asked, running reconciler`,
        value: median(live.times),
        unit: 'ms',
      },
      ...{ budget: { of: 'Mitogen', share: 1 / 50 }, beside: peers.same, ...grows('reconciler', nothing) },
    },
    {
      ...{
        name: `${nothing}, ${title}, hosts asked, whole process`,
        value: median(whole.checked),
        unit: 'ms',
      },
      ...{ budget: { of: 'Mitogen', share: 1 / 8 }, beside: peers.same, ...grows('process', nothing) },
    },
    {
      ...{
        name: `${nothing}, ${title}, the ledger knows, whole process`,
        value: median(whole.idle),
        unit: 'ms',
      },
      ...{ beside: peers.same, ...grows('process, ledger', nothing) },
    },
    {
      ...{ name: `${nothing}, ${title}, the ledger knows: bytes`, value: Math.max(...whole.idleBytes) },
      ...{ unit: 'B', budget: { most: 0 } },
    },
    ...(hosts === 1
      ? [
          {
            name: 'bytes on the cable to ask a host, warm line',
            value: median(live.bytes),
            unit: 'B',
          } as const,
        ]
      : []),
  ];
}

type Beside = Partial<Record<Flavour, number>>;

/** Peers: first applies and what follows them, as often as planned; default and pipelining once. */
async function peersOn(
  stage: Stage,
  { peers }: BenchContext,
  { rounds, flavours: chosen }: ReturnType<typeof plan>,
): Promise<{ readonly first: Beside; readonly same: Beside }> {
  const ansible = peerFor(stage, peers);
  const [first, same]: [Beside, Beside] = [{}, {}];
  let round = 0;
  for (const flavour of chosen.filter((one) => ansible.can(one))) {
    if (flavour === 'Ansible, pipelining')
      await ansible.run({ flavour, play: { tasks: [{ raw: 'true' }] }, changes: true });
    const samples = await repeat(flavour === 'Mitogen' ? rounds : 1, async () => {
      round += 1;
      const work = play(round, ansible.files);
      const applied = (await ansible.run({ flavour, play: work, changes: true })) ?? Number.NaN;
      return [applied, (await ansible.run({ flavour, play: work, changes: false })) ?? Number.NaN] as const;
    });
    first[flavour] = median(samples.map(([time]) => time));
    same[flavour] = median(samples.map(([, time]) => time));
  }
  await ansible.close();
  return { first, same };
}

function peerFor(stage: Stage, peers: BenchContext['peers']): Ansible {
  const keyFile = stage.fleet.clientKeyFile;
  const ansible = new Ansible(peers, { targets: stage.targets, user: 'deploy', keyFile, become: true });
  writeFileSync(join(ansible.files, 'one.j2'), template);
  return ansible;
}

interface Whole {
  readonly first: readonly number[];
  readonly idle: readonly number[];
  readonly idleBytes: readonly number[];
  readonly checked: readonly number[];
}

async function wholeProcesses(stage: Stage, rounds: number): Promise<Whole> {
  const taken = await repeat(rounds + 1, async (round) => {
    stage.save('roles/forty/role.ts', role(round));
    const first = (await stage.cli(['apply', '--worktree'])).milliseconds;
    await quietCables(stage);
    const before = bytesToHosts(stage);
    const idle = (await stage.cli(['apply', '--worktree'])).milliseconds;
    const idleBytes = bytesToHosts(stage) - before;
    const checked = (await stage.cli(['check', '--worktree', '--force'])).milliseconds;
    return { first, idle, idleBytes, checked };
  });
  const [, ...counted] = taken;
  return {
    first: counted.map((one) => one.first),
    idle: counted.map((one) => one.idle),
    idleBytes: counted.map((one) => one.idleBytes),
    checked: counted.map((one) => one.checked),
  };
}

/** Connections that were closed a moment ago may still say goodbye. */
async function quietCables(stage: Stage): Promise<void> {
  for (let tries = 0; tries < 50; tries += 1) {
    const before = bytesToHosts(stage);
    await new Promise((resolve) => setTimeout(resolve, 100));
    if (bytesToHosts(stage) === before) return;
  }
}

function bytesToHosts(stage: Stage): number {
  return stage.fleet.hosts.reduce((sum, host) => sum + host.bytes().toHost, 0);
}

interface Looks {
  readonly times: readonly number[];
  readonly bytes: readonly number[];
  /** Of the first host's link, where there are links. */
  readonly roundTrips: readonly number[];
}

/** Asks every host about every resource, over lines that stay open; the reconciler lives in this process. */
async function lookingReconciler(
  stage: Stage,
  rounds: number,
  settle: () => void = () => {},
): Promise<Looks> {
  commitFiles(stage.policy, {});
  const pool = new ConnectionPool(poolOptions(() => {}));
  const reconciler = await openPlanner(stage.policy, mkdtempSync(join(stage.state, 'looking-')), pool);
  await reconciler.run('apply', 'done');
  await reconciler.run('drift-report', 'done');
  settle();
  const taken = await repeat(rounds, async () => {
    const before = bytesToHosts(stage);
    const [link] = stage.links;
    link?.reset();
    const { milliseconds } = await reconciler.run('drift-report', 'done');
    const roundTrips = Math.ceil((link?.turns ?? 0) / 2);
    return { milliseconds, bytes: bytesToHosts(stage) - before, roundTrips };
  });
  await reconciler.close();
  return {
    times: taken.map((one) => one.milliseconds),
    bytes: taken.map((one) => one.bytes),
    roundTrips: taken.map((one) => one.roundTrips),
  };
}

async function firstAppliesRunning(stage: Stage): Promise<readonly number[]> {
  const finished = (event: RunEvent): boolean => event.type === 'run-finished';
  const reconciler = stage.start(['watch', '--json']);
  const ready = reconciler.event(finished);
  stage.save('roles/forty/role.ts', role(99));
  await ready;
  const times = await repeat(5, async (round) => {
    const done = reconciler.event(finished);
    return timed(async () => {
      stage.save('roles/forty/role.ts', role(100 + round));
      const event = await done;
      if (event.type !== 'run-finished' || event.summary.outcome !== 'done')
        throw new Error(JSON.stringify(event));
    });
  });
  await reconciler.stop();
  return times;
}

/** Nothing to change with 30 and 180 ms there and back. */
async function far(stage: Stage, { peers }: BenchContext): Promise<readonly Figure[]> {
  await keepPackageCache(stage);
  await stage.cli(['apply', '--worktree']);
  const work = (files: string): Readonly<Record<string, unknown>> => play(0, files);
  const prepared = peerFor(stage, peers);
  await prepared.run({ flavour: 'Mitogen', play: work(prepared.files), changes: true });
  const figures: Figure[] = [];
  for (const roundTrip of [30, 180]) {
    stage.roundTrip(roundTrip);
    const mitogen = await prepared.run({ flavour: 'Mitogen', play: work(prepared.files), changes: false });
    stage.roundTrip(0);
    const { times, roundTrips } = await lookingReconciler(stage, 5, () => stage.roundTrip(roundTrip));
    figures.push({
      ...{ name: `nothing to change, 1 host ${roundTrip} ms away, asked, running`, value: median(times) },
      ...{ unit: 'ms', budget: { of: 'Mitogen', share: 1 / 50 } },
      ...(mitogen !== undefined && { beside: { Mitogen: mitogen } }),
    });
    if (roundTrip === 30)
      figures.push({
        ...{ name: 'round trips to ask a host about all resources', value: median(roundTrips) },
        ...{ unit: 'count', budget: { most: 1 } },
      });
  }
  await prepared.close();
  return figures;
}
