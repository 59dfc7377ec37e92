/**
 * One hundred small commands in one role on one host: the whole `apply` process, and in a running reconciler.
 * Invariant: every round really runs all hundred programs; bytes are those on the host's cable.
 * Never counts setting the stage.
 */

import type { RunEvent } from '../../reconciler/base/event.ts';
import { type Bench, type Figure, median } from './bench.ts';
import { onStage, type Stage } from './stage.ts';

const count = 100;
const rounds = 7;

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

export const apply100Commands: Bench = {
  name: 'apply-100-commands',
  summary: `${count} × hostname in one role on one host`,
  run: () =>
    onStage({ hosts: 1, user: 'root', files: { 'roles/many/role.ts': role(0) } }, async (stage) => [
      ...(await wholeProcess(stage)),
      ...(await running(stage)),
    ]),
};

async function wholeProcess(stage: Stage): Promise<readonly Figure[]> {
  const [host] = stage.fleet.hosts;
  await stage.cli(['apply']);
  const times: number[] = [];
  const before = host?.bytes().toHost ?? 0;
  for (let round = 0; round < rounds; round += 1)
    times.push((await stage.cli(['apply', '--force'])).milliseconds);
  const bytes = ((host?.bytes().toHost ?? 0) - before) / rounds;
  return [
    { name: 'the whole apply process', value: median(times), unit: 'ms', budget: 2250 / 8 },
    { name: 'bytes to the host, line and agent included', value: Math.round(bytes), unit: 'B' },
  ];
}

async function running(stage: Stage): Promise<readonly Figure[]> {
  const [host] = stage.fleet.hosts;
  const finished = (event: RunEvent): boolean => event.type === 'run-finished';
  const reconciler = stage.start(['watch', '--json']);
  await reconciler.event(finished);
  const times: number[] = [];
  const bytes: number[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    const before = host?.bytes().toHost ?? 0;
    const done = reconciler.event(finished);
    const startedAt = performance.now();
    stage.save('roles/many/role.ts', role(round));
    const event = await done;
    times.push(performance.now() - startedAt);
    bytes.push((host?.bytes().toHost ?? 0) - before);
    if (event.type !== 'run-finished' || event.summary.resources.changed !== count)
      throw new Error(`a round did not run ${count} commands: ${JSON.stringify(event)}`);
  }
  await reconciler.stop();
  return [
    {
      name: 'in a running reconciler, role saved → run finished',
      value: median(times),
      unit: 'ms',
      budget: 2250 / 20,
    },
    { name: 'bytes to the host, a round', value: median(bytes), unit: 'B', budget: 30_000 },
  ];
}
