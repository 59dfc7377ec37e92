/**
 * The role of 40 resources that peers were measured with: first apply, and looking when nothing is to change.
 * Invariant: first applies meet hosts on which the role never was; looking asks the host about every resource.
 * Never counts setting the stage.
 */

import type { RunEvent } from '../../reconciler/base/event.ts';
import { type Bench, type Figure, median } from './bench.ts';
import { onStage, type Stage } from './stage.ts';

const rounds = 5;
const units = ['one.service', 'two.service', 'three.service'];

/** 6 directories, 5 installed packages, 20 templates with one handler, 6 lines, 3 services. */
function role(round: number): string {
  return `import { defineRole, directory, line, pkg, service, template } from 'towline';

const root = '/srv/bench-${round}';
const each = (count: number) => Array.from({ length: count }, (_, index) => index);

export default defineRole({
  resources: ({ host }) => [
    directory(root),
    ...each(5).map((index) => directory(\`\${root}/d\${index}\`)),
    ...['bash', 'coreutils', 'openssh-server', 'sudo', 'iproute2'].map((name) => pkg(name)),
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

export const apply40Resources: Bench = {
  name: 'apply-40-resources',
  summary: 'a role of 40 resources as a user with sudo: first apply, and nothing to change',
  run: () => {
    const files = {
      'roles/forty/role.ts': role(0),
      'roles/forty/templates/one.njk': 'name {{ name }}\nnumber {{ index }}\n',
    };
    return onStage(
      { hosts: 1, user: 'deploy', vars: { towline_become: 'sudo' }, files, units },
      async (stage) => [...(await wholeProcess(stage)), ...(await running(stage))],
    );
  },
};

async function wholeProcess(stage: Stage): Promise<readonly Figure[]> {
  const first: number[] = [];
  const idle: number[] = [];
  const checks: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    stage.save('roles/forty/role.ts', role(round));
    first.push((await stage.cli(['apply', '--worktree'])).milliseconds);
    idle.push((await stage.cli(['apply', '--worktree'])).milliseconds);
    checks.push((await stage.cli(['check', '--worktree', '--force'])).milliseconds);
  }
  return [
    { name: 'first apply, whole process', value: median(first), unit: 'ms', budget: 5200 / 8 },
    { name: 'nothing to change, the ledger knows', value: median(idle), unit: 'ms' },
    { name: 'nothing to change, asked of the host, whole process', value: median(checks), unit: 'ms' },
  ];
}

async function running(stage: Stage): Promise<readonly Figure[]> {
  const [host] = stage.fleet.hosts;
  const finished = (event: RunEvent): boolean => event.type === 'run-finished';
  const reconciler = stage.start(['watch', '--json']);
  await reconciler.event(finished);
  const times: number[] = [];
  const bytes: number[] = [];
  for (let round = rounds; round < 2 * rounds; round += 1) {
    const before = host?.bytes().toHost ?? 0;
    const done = reconciler.event(finished);
    const startedAt = performance.now();
    stage.save('roles/forty/role.ts', role(round));
    const event = await done;
    times.push(performance.now() - startedAt);
    bytes.push((host?.bytes().toHost ?? 0) - before);
    if (event.type !== 'run-finished' || event.summary.outcome !== 'done')
      throw new Error(JSON.stringify(event));
  }
  await reconciler.stop();
  return [
    { name: 'first apply in a running reconciler', value: median(times), unit: 'ms' },
    { name: 'bytes to the host, a first apply on a warm line', value: median(bytes), unit: 'B' },
  ];
}
