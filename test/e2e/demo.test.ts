/**
 * The demo as a person starts it, with a folder of its own for temporary files.
 * Invariant: when it has ended, no process and no file of it is left, whatever ended it.
 * Never asserts how long anything took.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';
import { temporaryDirectories } from '../helpers/temporary-directory.ts';

const launcher = resolve(import.meta.dirname, '../../bin/towline.cjs');
const fresh = temporaryDirectories();
const started: ChildProcess[] = [];

afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

type Line = Readonly<Record<string, unknown>>;

interface Demo {
  readonly temporary: string;
  readonly child: ChildProcess;
  readonly text: () => string;
  readonly lines: () => readonly Line[];
  /** The first line for which `wanted` holds, now or later. */
  readonly line: (wanted: (line: Line) => boolean) => Promise<Line>;
  readonly status: Promise<number | null>;
}

function startDemo(...argv: readonly string[]): Demo {
  const temporary = fresh();
  const child = spawn(process.execPath, [launcher, 'demo', ...argv], {
    cwd: temporary,
    env: { PATH: process.env.PATH, HOME: fresh(), TMPDIR: temporary, LANG: 'C.UTF-8' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  started.push(child);
  const texts: string[] = [];
  const waiting = new Set<() => void>();
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (text) => {
    texts.push(text);
    for (const look of waiting) look();
  });
  const lines = (): readonly Line[] =>
    texts.filter((text) => text.startsWith('{')).map((text) => JSON.parse(text) as Line);
  const line = (wanted: (line: Line) => boolean): Promise<Line> =>
    new Promise((found) => {
      const look = (): void => {
        const one = lines().find(wanted);
        if (one === undefined) return;
        waiting.delete(look);
        found(one);
      };
      waiting.add(look);
      look();
    });
  const status = new Promise<number | null>((done) => child.once('close', done));
  return { temporary, child, text: () => texts.join('\n'), lines, line, status };
}

/** Processes that were started with a place below a folder in their environment, as every agent of the demo is. */
function processesOf(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`=${folder}`);
      } catch {
        return false;
      }
    });
}

function expectNothingLeft({ temporary }: Demo): void {
  expect(processesOf(temporary)).toEqual([]);
  expect(readdirSync(temporary)).toEqual([]);
}

const isStep =
  (step: number) =>
  (line: Line): boolean =>
    line.type === 'demo' && line.step === step;

/** The look at all files with which watching begins is the second of its sort; the tour began with the first. */
function isWatching(demo: Demo): (line: Line) => boolean {
  return ({ type, run }) => {
    const starts = demo.lines().filter(({ trigger }) => trigger === 'start');
    return type === 'run-finished' && run === starts[1]?.run;
  };
}

describe('towline demo --once', () => {
  it('goes through the tour in words a person reads, and leaves nothing', async () => {
    const demo = startDemo('--once');
    expect(await demo.status).toBe(0);
    const text = demo.text();
    for (const words of [
      /^1 {2}A policy repository/m,
      /^2 {2}Three hosts/m,
      /^3 {2}The first run/m,
      /3 changed/,
      /^4 {2}A commit that touches one file of one role/m,
      /\+workers 2/,
      /web-1 .* brought up to date/,
      /web-2 .* brought up to date/,
      /db-1 .* not contacted/,
      /\d+ ms from the commit to the last host done/,
      /^ {3}Next/m,
      /towline init fleet/,
    ])
      expect(text).toMatch(words);
    expect(text).not.toContain('\u001b');
    const first = text.slice(text.indexOf('3  The first run'), text.indexOf('4  A commit'));
    expect(first).not.toContain('@@');
    expect(text).toContain('@@');
    expectNothingLeft(demo);
  });

  it('contacts only the hosts that the commit concerns, by their own count', async () => {
    const demo = startDemo('--once', '--json');
    expect(await demo.status).toBe(0);
    const lines = demo.lines();
    const finished = lines.filter(({ type }) => type === 'run-finished');
    expect(finished.map(({ summary }) => summary)).toMatchObject([
      { outcome: 'done', hosts: { changed: ['web-1', 'web-2', 'db-1'] } },
      { outcome: 'done', hosts: { changed: ['web-1', 'web-2'], unchanged: [] } },
    ]);
    const reckoned = lines.find(({ received }) => received !== undefined);
    const received = reckoned?.received as Record<string, number>;
    expect(reckoned).toMatchObject({ contacted: ['web-1', 'web-2'], run: finished[1]?.run });
    expect(received['web-1']).toBeGreaterThan(200);
    // At most the beat of a quiet line.
    expect(received['db-1']).toBeLessThan(64);
    expectNothingLeft(demo);
  });

  it('keeps the directory that --dir names', async () => {
    const demo = startDemo('--once', '--dir', 'play');
    expect(await demo.status).toBe(0);
    const play = join(demo.temporary, 'play');
    expect(demo.text()).toContain(`Kept: ${play}`);
    expect(readFileSync(join(play, 'web-1/srv/web/app.conf'), 'utf8')).toContain('workers 2');
    expect(existsSync(join(play, 'policy/towline.toml'))).toBe(true);
    expect(processesOf(demo.temporary)).toEqual([]);
  });
});

describe('towline demo', () => {
  it('goes on with saved files until it is interrupted', async () => {
    const demo = startDemo('--json');
    const turn = await demo.line(isStep(5));
    const [notice = '', site = ''] = turn.edit as string[];
    await demo.line(isWatching(demo));
    appendFileSync(site, '<p>Saved.</p>\n');
    const changed = (line: Line): boolean =>
      line.type === 'run-finished' &&
      demo.lines().some(({ run, trigger }) => run === line.run && trigger === 'edit');
    expect(await demo.line(changed)).toMatchObject({ summary: { hosts: { changed: ['web-1', 'web-2'] } } });
    expect(readFileSync(turn.arrives as string, 'utf8')).toContain('Saved.');
    expect(existsSync(notice)).toBe(true);
    demo.child.kill('SIGINT');
    expect(await demo.status).toBe(0);
    expect(demo.lines().at(-1)).toMatchObject({ type: 'demo', kept: null });
    expectNothingLeft(demo);
  });

  it('ends in the middle of the tour when it is interrupted, and leaves nothing', async () => {
    const demo = startDemo('--json');
    await demo.line(({ type }) => type === 'host-connected');
    expect(processesOf(demo.temporary).length).toBeGreaterThan(1);
    demo.child.kill('SIGINT');
    expect(await demo.status).toBe(130);
    expectNothingLeft(demo);
  });
});
