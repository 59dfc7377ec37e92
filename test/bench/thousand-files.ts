/**
 * A role of 1,000 files of 1 KiB on one host that is 26 ms away: every file fsynced, the whole process and a running reconciler.
 * Invariant: no file is on the host before; contents differ in every byte, so that nothing is saved by likeness; bytes are counted on the link.
 * Never counts setting the stage.
 */

import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must } from '../fleet/run.ts';
import { writeFiles } from '../helpers/git-repository.ts';
import { type Bench, type BenchContext, type Figure, median, repeat, timed } from './bench.ts';
import { Ansible } from './peers/ansible.ts';
import { WarmSsh } from './peers/warm-ssh.ts';
import { onStage, type Stage } from './stage.ts';

const count = 1000;
const peerCount = 100;
const roundTrip = 26;
const rounds = 3;

/** Three quarters of a byte of chance a character. */
function content(set: number, index: number): string {
  const words = Array.from({ length: 16 }, (_, part) =>
    createHash('sha512').update(`${set}/${index}/${part}`).digest('base64').slice(0, 64),
  );
  return words.join('').slice(0, 1023).concat('\n');
}

export function thousandFiles(set: number): Record<string, string> {
  const names = Array.from({ length: count }, (_, index) => index);
  return Object.fromEntries(names.map((index) => [`roles/files/files/${set}/${index}`, content(set, index)]));
}

export function thousandRole(set: number): Record<string, string> {
  return {
    'roles/files/role.ts': `import { defineRole, directory, file } from 'towline';

export default defineRole({
  resources: () => [
    directory('/srv/${set}'),
    ...Array.from({ length: ${count} }, (_, index) => file(\`/srv/${set}/\${index}\`, { from: \`${set}/\${index}\` })),
  ],
});
`,
  };
}

export const thousandFilesBench: Bench = {
  name: 'thousand-files',
  summary: `${count} files of 1 KiB, fsynced, on one host ${roundTrip} ms away`,
  minutes: 3,
  parts: [
    (context) => {
      const files = { ...thousandRole(0), ...thousandFiles(0) };
      return onStage({ hosts: 1, user: 'root', files, linked: true }, (stage) => measure(stage, context));
    },
  ],
};

async function measure(stage: Stage, context: BenchContext): Promise<readonly Figure[]> {
  const [link] = stage.links;
  const target = stage.targets[0];
  if (link === undefined || target === undefined) throw new Error('there is no host');
  stage.roundTrip(roundTrip);
  const whole = await repeat(rounds, async (round) => {
    prepare(stage, round);
    stage.save('roles/files/role.ts', roleText(round));
    return (await stage.cli(['apply', '--worktree'])).milliseconds;
  });
  const { times, bytes, roundTrips } = await running(stage);
  const floor = await tarOverSsh(stage);
  const mitogen = await hundredByMitogen(stage, context);
  const beside = { OpenSSH: floor };
  return [
    {
      ...{ name: 'in a running reconciler, role saved → run over', value: median(times), unit: 'ms' },
      ...{ beside, budget: { most: 1500 } },
    },
    { name: 'the whole apply process', value: median(whole), unit: 'ms', beside },
    { name: 'bytes up', value: median(bytes), unit: 'B', budget: { most: 1.2 * 2 ** 20 } },
    { name: 'round trips', value: median(roundTrips), unit: 'count' },
    ...(mitogen === undefined
      ? []
      : [{ name: `Mitogen, ${peerCount} of these files`, value: mitogen, unit: 'ms' } as const]),
  ];
}

function prepare(stage: Stage, set: number): void {
  writeFiles(stage.policy, thousandFiles(set));
}

function roleText(set: number): string {
  return Object.values(thousandRole(set)).join('');
}

async function running(stage: Stage): Promise<Record<'times' | 'bytes' | 'roundTrips', number[]>> {
  for (let round = 0; round <= rounds; round += 1) prepare(stage, 10 + round);
  stage.save('roles/files/role.ts', roleText(10));
  const reconciler = stage.start(['watch', '--json']);
  await reconciler.event((event) => event.type === 'run-finished');
  const [link] = stage.links;
  const taken = await repeat(rounds, async (round) => {
    link?.reset();
    const done = reconciler.event((event) => event.type === 'run-finished');
    const time = await timed(async () => {
      stage.save('roles/files/role.ts', roleText(11 + round));
      const event = await done;
      if (event.type !== 'run-finished' || event.summary.resources.changed !== count + 1)
        throw new Error(`not all files were written: ${JSON.stringify(event).slice(0, 2000)}`);
    });
    return { time, bytes: link?.crossed('up').bytes ?? 0, roundTrips: Math.ceil((link?.turns ?? 0) / 2) };
  });
  await reconciler.stop();
  return {
    times: taken.map((one) => one.time),
    bytes: taken.map((one) => one.bytes),
    roundTrips: taken.map((one) => one.roundTrips),
  };
}

/** One archive into tar on the host, and then one sync of the file system: what the way allows. */
async function tarOverSsh(stage: Stage): Promise<number> {
  const [target] = stage.targets;
  if (target === undefined) throw new Error('there is no host');
  const folder = mkdtempSync(join(tmpdir(), 'towline-bench-'));
  const archive = join(folder, 'files.tar');
  await must('tar', ['-cf', archive, '-C', join(stage.policy, 'roles/files/files'), '0']);
  const ssh = await WarmSsh.open(target, { user: 'root', keyFile: stage.fleet.clientKeyFile });
  const line = 'cd /srv && rm -rf tar && mkdir tar && tar -xf - -C tar && find tar -type f | xargs sync';
  const times = await repeat(rounds, () => ssh.run(line, readFileSync(archive)));
  await ssh.close();
  rmSync(folder, { recursive: true });
  return median(times);
}

async function hundredByMitogen(stage: Stage, { peers }: BenchContext): Promise<number | undefined> {
  const keyFile = stage.fleet.clientKeyFile;
  const ansible = new Ansible(peers, { targets: stage.targets, user: 'root', keyFile });
  const source = join(stage.policy, 'roles/files/files/0');
  const copy = { src: `${source}/{{ item }}`, dest: '/srv/{{ item }}' };
  const loop = Array.from({ length: peerCount }, (_, index) => index);
  const play = { tasks: [{ copy, loop }] };
  const time = await ansible.run({ flavour: 'Mitogen', play, changes: true });
  await ansible.close();
  return time;
}
