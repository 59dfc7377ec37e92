/**
 * `npm run bench`: all benches, or those named; figures with their budgets, as a table or as JSON lines.
 * Invariant: exit status 1 when a budget is not met or a bench fails, 0 otherwise.
 * Never part of the test command: it judges times.
 */

import { fleetAvailable } from '../fleet/available.ts';
import { apply40Resources } from './apply-40-resources.ts';
import { apply100Commands } from './apply-100-commands.ts';
import { type Bench, type Figure, isMet } from './bench.ts';
import { coldConnect } from './cold-connect.ts';
import { plan10k } from './plan-10k.ts';
import { stream } from './stream.ts';
import { watchLatency } from './watch-latency.ts';

const benches: readonly Bench[] = [
  watchLatency,
  plan10k,
  apply100Commands,
  apply40Resources,
  coldConnect,
  stream,
];

const options = process.argv.slice(2).filter((word) => word.startsWith('-'));
const names = process.argv.slice(2).filter((word) => !word.startsWith('-'));
const json = options.includes('--json');
const unknown = [
  ...names.filter((name) => !benches.some((bench) => bench.name === name)),
  ...options.filter((option) => option !== '--json'),
];

if (unknown.length > 0) {
  const known = benches.map((bench) => `  ${bench.name.padEnd(20)} ${bench.summary}`).join('\n');
  process.stderr.write(
    `no bench ${unknown.join(', ')}\nusage: npm run bench -- [--json] [NAME…]\n${known}\n`,
  );
  process.exitCode = 64;
} else {
  const obstacle = fleetAvailable();
  if (obstacle !== undefined) process.stderr.write(`benches with hosts cannot run here: ${obstacle}\n`);
  for (const bench of benches) if (names.length === 0 || names.includes(bench.name)) await show(bench);
}

async function show(bench: Bench): Promise<void> {
  if (!json) process.stdout.write(`\n${bench.name}: ${bench.summary}\n`);
  const figures = await bench.run().catch((error: unknown) => {
    process.stderr.write(`${bench.name} failed: ${error instanceof Error ? error.stack : error}\n`);
    process.exitCode = 1;
    return [];
  });
  for (const figure of figures) {
    if (isMet(figure) === false) process.exitCode = 1;
    process.stdout.write(json ? jsonLine(bench, figure) : textLine(figure));
  }
}

function jsonLine(bench: Bench, figure: Figure): string {
  return `${JSON.stringify({ bench: bench.name, ...figure, met: isMet(figure) })}\n`;
}

function textLine(figure: Figure): string {
  const { name, value, unit, budget } = figure;
  const shown = `${digits(value)} ${unit}`.padStart(14);
  const met = isMet(figure);
  const verdict =
    met === undefined ? '' : `  budget ${digits(budget as number)} ${unit}: ${met ? 'met' : 'NOT MET'}`;
  return `  ${name.padEnd(52)}${shown}${verdict}\n`;
}

function digits(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(value < 10 ? 2 : 1);
}
