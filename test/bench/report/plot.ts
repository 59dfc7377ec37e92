/**
 * Pictures of figures: bars of ours, the peers' and the budget on a logarithmic scale, and lines of how cost grows with hosts.
 * Invariant: plain SVG that needs nothing else, readable on light and dark pages; text is escaped.
 * Never draws what has no rival and no budget, nor anything but times: one scale holds all bars.
 */

import { type Figure, limitOf } from '../bench.ts';
import { amount, type Outcome } from './table.ts';

const colours: Readonly<Record<string, string>> = {
  Towline: '#2f7ed8',
  Mitogen: '#c0504d',
  'Ansible, pipelining': '#e0a030',
  Ansible: '#9a7d0a',
  OpenSSH: '#7f8c8d',
  scp: '#7f8c8d',
};
const other = '#9b9b9b';
/** Lines of one colour differ by these. */
const dashes = ['', '7 3', '2 3'];
const width = 900;
/** Text has a rim of the page's colour, so that a line behind it does not strike it out. */
const style = `<style>text{font:12px sans-serif;fill:#555;stroke:#fff;stroke-width:3px;paint-order:stroke}.t{font-weight:bold}@media(prefers-color-scheme:dark){text{fill:#bbb;stroke:#0d1117}}</style>`;

interface Bar {
  readonly name: string;
  readonly value: number;
}

/** A picture of a bench; undefined where nothing can be compared. */
export function barPlot({ bench, figures }: Outcome): string | undefined {
  const groups = figures
    .map((figure) => ({ figure, bars: barsOf(figure), limit: limitOf(figure) }))
    .filter(({ figure, bars, limit }) => figure.unit === 'ms' && (bars.length > 1 || (limit ?? 0) > 0));
  const values = groups.flatMap(({ bars, limit }) => [...bars.map((bar) => bar.value), limit ?? 0]);
  const scale = logScale(values.filter((value) => value > 0));
  if (scale === undefined) return undefined;
  let y = 34;
  const drawn = groups.map(({ figure, bars, limit }) => {
    const top = y;
    const shapes = bars.map((bar, index) => drawBar(bar, figure, { y: top + 16 + index * 15, scale }));
    const height = bars.length * 15;
    y += 28 + height;
    const x = limit === undefined || limit <= 0 ? undefined : scale(limit);
    const mark =
      x === undefined
        ? ''
        : `<line x1="${x}" x2="${x}" y1="${top + 14}" y2="${top + 17 + height}" stroke="#2a9d2a" stroke-width="2"/>`;
    return `<text x="8" y="${top + 10}">${escaped(figure.name)}</text>${mark}${shapes.join('')}`;
  });
  const title = `${bench.name}: ${bench.summary} (logarithmic; green: the budget)`;
  return picture(y + 8, [`<text class="t" x="8" y="18">${escaped(title)}</text>`, ...drawn]);
}

function barsOf(figure: Figure): Bar[] {
  const rivals = Object.entries(figure.beside ?? {}).map(([name, value]) => ({ name, value }));
  return [{ name: 'Towline', value: figure.value }, ...rivals];
}

function drawBar(bar: Bar, figure: Figure, place: { y: number; scale: (value: number) => number }): string {
  const end = bar.value > 0 ? Math.max(place.scale(bar.value), 152) : 152;
  const colour = colours[bar.name] ?? other;
  const label = amount(bar.value, figure.unit);
  return [
    `<text x="142" y="${place.y + 10}" text-anchor="end">${escaped(bar.name)}</text>`,
    `<rect x="150" y="${place.y}" width="${round(end - 150)}" height="12" fill="${colour}"/>`,
    `<text x="${round(end + 5)}" y="${place.y + 10}">${escaped(label)}</text>`,
  ].join('');
}

/** From 150 to 100 short of the width; a decade below the least value is the left end. */
function logScale(values: readonly number[]): ((value: number) => number) | undefined {
  if (values.length === 0) return undefined;
  const low = Math.log10(Math.min(...values)) - 0.3;
  const high = Math.max(Math.log10(Math.max(...values)), low + 1);
  return (value) => round(150 + ((Math.log10(value) - low) / (high - low)) * (width - 250));
}

/** Lines of cost over the number of hosts, a picture a kind of work. */
export function growthPlots(outcomes: readonly Outcome[]): ReadonlyMap<string, string> {
  const works = new Map<string, Map<string, { at: number; value: number }[]>>();
  for (const { bench, figures } of outcomes)
    for (const { growth, value, beside } of figures) {
      if (growth === undefined) continue;
      const key = `${bench.name}, ${growth.of}`;
      const lines = works.get(key) ?? new Map();
      works.set(key, lines);
      const points = [[`Towline, ${growth.line}`, value] as const, ...Object.entries(beside ?? {})];
      for (const [name, height] of points) {
        const line = lines.get(name) ?? [];
        if (!line.some((point: { at: number }) => point.at === growth.at))
          line.push({ at: growth.at, value: height });
        lines.set(name, line);
      }
    }
  return new Map([...works].map(([name, lines]) => [name, growthPlot(name, lines)]));
}

function growthPlot(title: string, lines: ReadonlyMap<string, { at: number; value: number }[]>): string {
  const all = [...lines.values()].flat();
  const spread = (values: readonly number[], from: number, to: number): ((value: number) => number) => {
    const [low, high] = [Math.log10(Math.min(...values)), Math.log10(Math.max(...values))];
    return (value) => round(from + ((Math.log10(value) - low) / (high - low || 1)) * (to - from));
  };
  const x = spread(
    all.map((point) => point.at),
    40,
    600,
  );
  const y = spread(
    all.map((point) => point.value),
    330,
    50,
  );
  const hosts = [...new Set(all.map((point) => point.at))];
  const axis = hosts.map((at) => `<text x="${x(at)}" y="360" text-anchor="middle">${at}</text>`);
  const ordered = [...lines].sort(
    ([a], [b]) => Number(b.startsWith('Towline')) - Number(a.startsWith('Towline')),
  );
  const drawn = ordered.map(([name, points], index) => {
    const colour = colours[name.split(', ')[0] ?? ''] ?? colours[name] ?? other;
    const sorted = [...points].sort((a, b) => a.at - b.at);
    const path = sorted.map((point) => `${x(point.at)},${y(point.value)}`).join(' ');
    const dash = ` stroke-dasharray="${name.startsWith('Towline') ? (dashes[index % dashes.length] ?? '') : ''}"`;
    const marks = sorted.map(
      (point) =>
        `<circle cx="${x(point.at)}" cy="${y(point.value)}" r="3" fill="${colour}"/><text x="${x(point.at) + 6}" y="${y(point.value) - 6}">${escaped(amount(point.value, 'ms'))}</text>`,
    );
    const key = `<line x1="690" x2="715" y1="${64 + index * 20}" y2="${64 + index * 20}" stroke="${colour}" stroke-width="2"${dash}/><text x="720" y="${68 + index * 20}">${escaped(name)}</text>`;
    return [
      `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"${dash}/>`,
      `${marks.join('')}${key}`,
    ] as const;
  });
  const [lower, upper] = [drawn.map(([line]) => line), drawn.map(([, marks]) => marks)];
  const head = `<text class="t" x="8" y="18">${escaped(title)} (both scales logarithmic)</text>`;
  return picture(380, [
    head,
    ...axis,
    '<text x="355" y="376" text-anchor="middle">hosts</text>',
    ...lower,
    ...upper,
  ]);
}

function picture(height: number, parts: readonly string[]): string {
  const size = `viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}>${style}\n${parts.join('\n')}\n</svg>\n`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
