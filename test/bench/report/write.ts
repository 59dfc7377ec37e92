/**
 * Writes what a bench run gave into a folder: JSON, a table in Markdown, pictures.
 * Invariant: every file is complete when it is there; files of benches that did not run this time stay as they are.
 * Never judges.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { isMet, limitOf } from '../bench.ts';
import { barPlot, growthPlots } from './plot.ts';
import { markdown, type Outcome } from './table.ts';

export function writeResults(folder: string, outcomes: readonly Outcome[], remarks: readonly string[]): void {
  mkdirSync(folder, { recursive: true });
  const put = (name: string, text: string): void => writeFileSync(join(folder, name), text);
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux, Node ${process.versions.node}`;
  const at = new Date().toISOString();
  const seconds = outcomes.reduce((sum, outcome) => sum + outcome.seconds, 0);
  const results = outcomes.map(({ bench, figures, ...rest }) => ({
    ...{ bench: bench.name, ...rest },
    figures: figures.map((figure) => ({ ...figure, limit: limitOf(figure), met: isMet(figure) })),
  }));
  put('results.json', `${JSON.stringify({ at, machine, seconds, remarks, results }, null, 2)}\n`);
  const pictures = new Map(growthPlots(outcomes));
  for (const outcome of outcomes) {
    const drawn = barPlot(outcome);
    if (drawn !== undefined) pictures.set(outcome.bench.name, drawn);
  }
  const names = [...pictures].map(([name, drawn]) => {
    const file = `${name.replaceAll(/[^a-z0-9]+/gi, '-')}.svg`;
    put(file, drawn);
    return `![${name}](${file})`;
  });
  const about = [`Taken ${at} in ${Math.round(seconds)} s on ${machine}.`, ...remarks].join('\n\n');
  put('results.md', `${markdown(outcomes, about)}\n${names.join('\n\n')}\n`);
}
