/**
 * Takes the host lock as soon as it is free, holds it for a moment and says so in a shared log.
 * Invariant: writes "in" while it holds the lock and "out" just before it gives it back.
 * For lock.test.ts only.
 */

import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { takeLock } from '../../agent/lock.ts';

const [directory = '', log = '', rounds = '1', end = 'release'] = process.argv.slice(2);
for (let round = 0; round < Number(rounds); ) {
  const taken = await takeLock(directory, `run-${process.pid}`);
  if (!taken.free) {
    await sleep(1);
    continue;
  }
  round += 1;
  appendFileSync(log, `in ${process.pid}\n`);
  if (end === 'hold') await sleep(60_000);
  if (end === 'die') process.kill(process.pid, 'SIGKILL');
  await sleep(Math.random() * 3);
  appendFileSync(log, `out ${process.pid}\n`);
  await taken.release();
}
