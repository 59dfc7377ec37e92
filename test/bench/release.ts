/**
 * The program as people get it: built, and laid out like an installed package, so that the launcher runs the bundles.
 * Invariant: built once a bench run, by the first process that asks; those it starts use the same; the compile cache is its own.
 * Never installs a package: the checkout's are used.
 */

import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { must } from '../fleet/run.ts';

const root = resolve(import.meta.dirname, '../..');
let built: Promise<Release> | undefined;

export interface Release {
  /** What Node is started with. */
  readonly program: string;
  /** What the processes keep between them. */
  readonly env: NodeJS.ProcessEnv;
}

/** Builds the first time it is asked, unless the process that started this one has. */
export function release(): Promise<Release> {
  const folder = process.env.TOWLINE_BENCH_RELEASE;
  built ??= folder === undefined ? build() : Promise.resolve(releaseIn(folder));
  return built;
}

/** TOWLINE_BENCH_PROFILE names a folder: every process under measurement writes its CPU profile there. */
export function profiling(): string[] {
  const folder = process.env.TOWLINE_BENCH_PROFILE;
  return folder === undefined ? [] : ['--cpu-prof', '--cpu-prof-interval=200', `--cpu-prof-dir=${folder}`];
}

async function build(): Promise<Release> {
  await must(process.execPath, [join(root, 'scripts/build.ts')], { timeoutMs: 120_000 });
  const folder = mkdtempSync(join(tmpdir(), 'towline-release-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  for (const part of ['bin', 'dist', 'types', 'docs', 'repo-template', 'package.json'])
    cpSync(join(root, part), join(folder, part), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  process.env.TOWLINE_BENCH_RELEASE = folder;
  return releaseIn(folder);
}

function releaseIn(folder: string): Release {
  return {
    program: join(folder, 'bin/towline.cjs'),
    env: { XDG_CACHE_HOME: join(folder, 'cache') },
  };
}
