/**
 * Saving a template in the working tree until its new content is on a real host, seen from outside the host.
 * Invariant: a sample runs from before the write to the moment when the file of the host's disk holds the new text.
 * Never asks Towline when it was done.
 */

import { readFileSync, watch } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Bench, type Figure, median, quantile } from './bench.ts';
import { onStage, type Stage } from './stage.ts';

const warmUps = 20;
const samples = 150;
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

export const watchLatency: Bench = {
  name: 'watch-latency',
  summary: 'a template saved in watch mode until its content is on the host, one host, warm line',
  run: async () => [
    ...(await measure('root', { user: 'root' })),
    ...(await measure('sudo', { user: 'deploy', vars: { towline_become: 'sudo' } })),
  ],
};

function measure(
  label: string,
  account: { readonly user: string; readonly vars?: Readonly<Record<string, string>> },
): Promise<readonly Figure[]> {
  const files = { 'roles/app/role.ts': role, 'roles/app/templates/app.conf.njk': 'start\n' };
  return onStage({ hosts: 1, files, ...account }, async (stage) => {
    const running = stage.start(['watch', '--json']);
    await running.event((event) => event.type === 'run-finished');
    const times: number[] = [];
    try {
      for (let index = 0; index < warmUps + samples; index += 1) {
        const time = await oneSave(stage, index);
        if (index >= warmUps) times.push(time);
        await pause(30 + (index % 7) * 5);
      }
    } finally {
      await running.stop();
    }
    return [
      { name: `save → applied, median (${label})`, value: median(times), unit: 'ms', budget: 25 },
      {
        name: `save → applied, 95th percentile (${label})`,
        value: quantile(times, 0.95),
        unit: 'ms',
        budget: 60,
      },
      { name: `save → applied, fastest (${label})`, value: Math.min(...times), unit: 'ms' },
      { name: `save → applied, slowest (${label})`, value: Math.max(...times), unit: 'ms' },
    ];
  });
}

/** Saves once; milliseconds until the host's disk has it. */
async function oneSave(stage: Stage, index: number): Promise<number> {
  const text = `number ${index}\nlisten {{ port }}\nname {{ name }} on {{ family }}\n`;
  const onDisk = join(stage.fleet.folder, 'host1/upper', folder);
  const isThere = (): boolean =>
    readFileSync(join(onDisk, 'app.conf'), 'utf8').startsWith(`number ${index}\n`);
  const seen = Promise.withResolvers<number>();
  const look = (): void => {
    if (isThere()) seen.resolve(performance.now());
  };
  const watcher = watch(onDisk, look);
  const poll = setInterval(look, 2);
  const late = setTimeout(() => seen.reject(new Error(`save ${index} did not arrive`)), 20_000);
  try {
    const startedAt = performance.now();
    stage.save('roles/app/templates/app.conf.njk', text);
    return (await seen.promise) - startedAt;
  } finally {
    watcher.close();
    clearInterval(poll);
    clearTimeout(late);
  }
}
