/**
 * A policy repository and the command line on it: commits go in, exit statuses and events come out.
 * Invariant: every repository has a home and a state directory of its own; nothing of the person who runs the tests is read.
 * Never calls the reconciler's code: it is run as people run it.
 */

import { mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Problem } from '../../../agent/protocol/problem.ts';
import type { RunEvent, RunSummary } from '../../../reconciler/base/event.ts';
import { type Ran, run } from '../../fleet/run.ts';
import { commitFiles, createRepository, runGit, writeFiles } from '../../helpers/git-repository.ts';
import { ReconcilerProcess } from './reconciler-process.ts';

/** A line of `--json`: an event of a run, or a problem that belongs to none. */
export type Line = RunEvent | { readonly type: 'problem'; readonly problem: Problem };

/** How a command ended, and what it said. */
export interface Answer extends Ran {
  /** Standard output as JSON lines; empty without --json. */
  readonly lines: readonly Line[];
}

/** An environment as `status --json` shows it, as far as tests look. */
export interface Status {
  readonly name: string;
  readonly lastGood?: { readonly id: string };
  readonly seen?: { readonly id: string };
  readonly stalled?: { readonly problems: readonly Problem[]; readonly since: string };
  readonly endedAt?: string;
  readonly hosts: readonly {
    readonly host: string;
    readonly state: string;
    readonly roles: readonly string[];
    readonly problem?: Problem;
  }[];
}

export type Files = Readonly<Record<string, string>>;

const main = resolve(import.meta.dirname, '../../../reconciler/main.ts');
const limitMs = 60_000;

export class Towline {
  /** The policy repository. */
  readonly repository: string;
  readonly #home: string;

  /** Makes a repository with a first commit below `folder`. */
  constructor(folder: string, files: Files) {
    this.repository = join(folder, 'policy');
    this.#home = join(folder, 'home');
    mkdirSync(this.#home);
    createRepository(this.repository, files);
  }

  /** Writes files and commits everything; the commit's id. */
  commit(files: Files): string {
    return commitFiles(this.repository, files);
  }

  /** Writes files and leaves them uncommitted. */
  save(files: Files): void {
    writeFiles(this.repository, files);
  }

  /** Removes files, writes others and commits; the commit's id. */
  remove(paths: readonly string[], files: Files = {}): string {
    for (const path of paths) rmSync(join(this.repository, path), { recursive: true });
    return commitFiles(this.repository, files);
  }

  git(...argv: string[]): string {
    return runGit(this.repository, ...argv);
  }

  /** Runs a command to its end. */
  async run(...args: readonly string[]): Promise<Answer> {
    const ran = await run(process.execPath, [main, ...args], { ...this.#surroundings(), timeoutMs: limitMs });
    return { ...ran, lines: args.includes('--json') ? parsed(ran.stdout) : [] };
  }

  /** The first environment of `status --json`, or the one named. */
  async status(name?: string): Promise<Status> {
    const { stdout } = await this.run('status', '--json');
    const all = JSON.parse(stdout) as Status[];
    const found = name === undefined ? all[0] : all.find((one) => one.name === name);
    if (found === undefined) throw new Error(`no status of ${name ?? 'any environment'} in ${stdout}`);
    return found;
  }

  /** Starts `run --json`, or another command that goes on until stopped. */
  start(command: 'run' | 'watch' = 'run', ...args: readonly string[]): ReconcilerProcess {
    return new ReconcilerProcess(process.execPath, [main, command, '--json', ...args], this.#surroundings());
  }

  #surroundings(): { cwd: string; env: NodeJS.ProcessEnv } {
    const state = join(this.#home, 'state');
    return {
      cwd: this.repository,
      env: { PATH: process.env.PATH, HOME: this.#home, XDG_STATE_HOME: state, LANG: 'C.UTF-8' },
    };
  }
}

function parsed(text: string): Line[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
}

/** The summary of the only run among some lines. */
export function summaryOf(lines: readonly Line[]): RunSummary {
  const ends = lines.filter((line) => line.type === 'run-finished');
  const [only] = ends;
  if (only === undefined || ends.length > 1) throw new Error(`${ends.length} runs: ${JSON.stringify(lines)}`);
  return only.summary;
}

/** Every (host, role) that was converged, as `host/role`, sorted. */
export function convergedIn(lines: readonly Line[]): string[] {
  return lines.flatMap((line) => (line.type === 'host-finished' ? [`${line.host}/${line.role}`] : [])).sort();
}

/** Every host that something was asked of, sorted: it was connected, sent a plan, or failed. */
export function contactedIn(lines: readonly Line[]): string[] {
  const types = ['host-connecting', 'host-connected', 'host-event', 'host-finished', 'host-failed'];
  const hosts = lines.flatMap((line) => (types.includes(line.type) && 'host' in line ? [line.host] : []));
  return [...new Set(hosts)].sort();
}
