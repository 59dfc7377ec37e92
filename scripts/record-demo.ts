/**
 * Records the demo as docs/demo.svg: its real output, appearing line by line as in a terminal; `node scripts/record-demo.ts`.
 * Invariant: every character comes from a run of the demo that ended well; only the pace of the lines is ours.
 * Never part of `npm run docs`: each recording differs in ports, times and commit ids.
 */

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const rows = 36;
const columns = 100;
const cell = { width: 8.4, height: 18 };
const seconds = { line: 0.06, step: 1.4 };
const colours: Readonly<Record<number, string>> = { 31: 'r', 32: 'g', 33: 'y', 35: 'm', 36: 'c' };

function record(): string[] {
  const ran = spawnSync(process.execPath, ['bin/towline.cjs', 'demo', '--once'], {
    cwd: root,
    env: { PATH: process.env.PATH, HOME: '/tmp', TMPDIR: '/tmp', LANG: 'C.UTF-8', FORCE_COLOR: '1' },
    encoding: 'utf8',
  });
  if (ran.status !== 0) throw new Error(`the demo ended with ${ran.status}: ${ran.stderr}`);
  return ['$ npm start -- --once', '', ...ran.stdout.trimEnd().split('\n')];
}

/** One line with its colours as spans. */
function spans(line: string): string {
  let colour = '';
  let weight = '';
  return line
    .split(/(\u001b\[[\d;]*m)/)
    .map((piece) => {
      const code = /^\u001b\[(\d*)m$/.exec(piece)?.[1];
      if (code === undefined) {
        const classes = `${colour} ${weight}`.trim();
        const text = piece.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
        return text === '' || classes === '' ? text : `<tspan class="${classes}">${text}</tspan>`;
      }
      const number = Number(code);
      if (number === 0 || number === 39) colour = '';
      if (number === 0 || number === 22) weight = '';
      if (number === 1) weight = 'b';
      if (number === 2) weight = 'd';
      colour = colours[number] ?? colour;
      return '';
    })
    .join('');
}

/** When each line appears, in seconds: a pause before each step and before what a run has to tell. */
function moments(lines: readonly string[]): number[] {
  let at = 0.6;
  return lines.map((line) => {
    const plain = line.replaceAll(/\u001b\[[\d;]*m/g, '');
    const isStep = /^\d {2}\S/.test(plain) || /^ {3}(web-1 +\d+ bytes|That was)/.test(plain);
    at += isStep ? seconds.step : seconds.line;
    return at;
  });
}

function picture(lines: readonly string[]): string {
  const times = moments(lines);
  const end = (times.at(-1) ?? 0) + 1;
  const scrolls = times.flatMap((at, index) => {
    const hidden = index + 1 - rows;
    if (hidden <= 0) return [];
    return [`${((at / end) * 100).toFixed(2)}%{transform:translateY(${-hidden * cell.height}px)}`];
  });
  const width = Math.ceil(columns * cell.width) + 32;
  const height = rows * cell.height + 32;
  const texts = lines.map((line, index) => {
    const y = (index + 1) * cell.height;
    return line === ''
      ? ''
      : `<text y="${y}" style="animation-delay:${times[index]?.toFixed(2)}s">${spans(line)}</text>\n`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">
<title>The demo of Towline: three hosts, a first run, and a commit that concerns two of them</title>
<style>
text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#d4d7dd;white-space:pre;animation:show 1ms backwards}
.r{fill:#f2777a}.g{fill:#8fc98b}.y{fill:#e8c266}.m{fill:#c79be0}.c{fill:#79c3d8}.b{font-weight:bold}.d{opacity:.6}
.all{animation:scroll ${end.toFixed(2)}s step-end forwards}
@keyframes show{from{opacity:0}}
@keyframes scroll{0%{transform:translateY(0)}${scrolls.join('')}100%{transform:translateY(${-Math.max(0, lines.length - rows) * cell.height}px)}}
</style>
<rect width="100%" height="100%" rx="8" fill="#1c1f26"/>
<svg x="16" y="12" width="${width - 32}" height="${rows * cell.height + 6}">
<g class="all">
${texts.join('')}</g>
</svg>
</svg>
`;
}

writeFileSync(resolve(root, 'docs/demo.svg'), picture(record()));
