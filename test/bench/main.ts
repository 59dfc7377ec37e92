/**
 * `npm run bench`: all benches, or those named; figures with their budgets and peers, as a table, as files and as pictures.
 * Invariant: exit status 1 when a budget is not met or a bench fails or takes too long, 0 otherwise; what was measured is written all the same.
 * Never part of the test command: it judges times.
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { fleetAvailable } from '../fleet/available.ts';
import { type Bench, type Figure, isMet } from './bench.ts';
import { benches } from './benches.ts';
import { bringPeers } from './peers/peers.ts';
import { profiling, release } from './release.ts';
import { jsonLine, type Outcome, textLine } from './report/table.ts';
import { writeResults } from './report/write.ts';

const usualFolder = join(import.meta.dirname, '../../bench-results');
const tell = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false }, out: { type: 'string', default: usualFolder } },
  });
  const unknown = positionals.filter((name) => !benches.some((bench) => bench.name === name));
  if (unknown.length > 0) return usage(`no bench ${unknown.join(', ')}`);
  const obstacle = fleetAvailable();
  if (obstacle !== undefined) tell(`benches with hosts cannot run here: ${obstacle}`);
  const peers = bringPeers(tell);
  const remarks = peers.lacking === undefined ? [] : [`Ratios are missing: ${peers.lacking}.`];
  await release();
  const outcomes: Outcome[] = [];
  for (const bench of benches) {
    if (positionals.length > 0 && !positionals.includes(bench.name)) continue;
    const outcome = await measured(bench);
    outcomes.push(outcome);
    show(outcome, values.json);
    writeResults(resolve(values.out), outcomes, remarks);
  }
  tell(`written to ${resolve(values.out)}`);
  const bad = outcomes.some(({ figures, problem }) => problem !== undefined || figures.some(missed));
  return bad ? 1 : 0;
}

const missed = (figure: Figure): boolean => isMet(figure) === false;

/** In a process of its own; one that takes too long is ended, with what it started. */
async function measured(bench: Bench): Promise<Outcome> {
  const startedAt = performance.now();
  const child = fork(join(import.meta.dirname, 'run-one.ts'), [bench.name], {
    execArgv: ['--expose-gc', ...profiling()],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  let late = '';
  const timer = setTimeout(() => {
    late = ` after its ${bench.minutes} minutes`;
    child.kill('SIGTERM');
  }, bench.minutes * 60_000);
  const figures: Figure[] = [];
  child.on('message', (message) => figures.push(...(message as readonly Figure[])));
  const [status] = await once(child, 'close');
  clearTimeout(timer);
  const seconds = (performance.now() - startedAt) / 1000;
  if (status === 0) return { bench, figures, seconds };
  const problem = `it ended with ${status}${late}`;
  tell(`${bench.name} failed: ${problem}`);
  return { bench, figures, problem, seconds };
}

function show({ bench, figures, seconds }: Outcome, json: boolean): void {
  if (!json) process.stdout.write(`\n${bench.name}: ${bench.summary} (${seconds.toFixed(0)} s)\n`);
  for (const figure of figures) process.stdout.write(json ? jsonLine(bench.name, figure) : textLine(figure));
}

function usage(problem: string): number {
  const known = benches.map((bench) => `  ${bench.name.padEnd(20)} ${bench.summary}`).join('\n');
  tell(`${problem}\nusage: npm run bench -- [--json] [--out DIR] [NAME…]\n${known}`);
  return 64;
}

process.exitCode = await main().catch((error: unknown) => usage(String(error)));
