/**
 * What benches with hosts stand on: a fleet, a policy repository and a state directory, gone afterwards.
 * Invariant: the command line runs as its own process, as a person starts it; what was started is ended.
 * Never measures.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { RunEvent } from '../../reconciler/base/event.ts';
import { type Fleet, upFleet } from '../fleet/fleet.ts';
import { createRepository } from '../helpers/git-repository.ts';

const program = join(import.meta.dirname, '../../reconciler/main.ts');

export interface StageOptions {
  readonly hosts: number;
  /** Account to log in as. */
  readonly user: string;
  /** Variables of all hosts. */
  readonly vars?: Readonly<Record<string, string>>;
  /** Files of the policy, besides towline.toml and the inventory. */
  readonly files: Readonly<Record<string, string>>;
  /** Services the hosts have; with any, they look as if systemd ran. */
  readonly units?: readonly string[];
}

export interface Stage {
  readonly fleet: Fleet;
  /** The policy repository. */
  readonly policy: string;
  /** Writes a file of the policy, without a commit. */
  save(path: string, text: string): void;
  /** Runs a command to its end; milliseconds of the whole process. Fails on another exit status. */
  cli(argv: readonly string[], expected?: number): Promise<{ milliseconds: number; output: string }>;
  /** Starts a command that goes on, with its JSON lines. */
  start(argv: readonly string[]): Running;
}

export interface Running {
  readonly child: ChildProcess;
  /** The next event that this says yes to. */
  event(matches: (event: RunEvent) => boolean): Promise<RunEvent>;
  /** Interrupts it and waits for its end. */
  stop(): Promise<void>;
}

/** Sets the stage for `work` and clears it. */
export async function onStage<T>(options: StageOptions, work: (stage: Stage) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'towline-bench-'));
  const { units } = options;
  const fleet = await upFleet({ count: options.hosts, ...(units && { systemdStub: true, units }) });
  try {
    const policy = join(folder, 'policy');
    createRepository(policy, {
      'towline.toml': '[environments.bench]\nbranch = "main"\ninventory = "inventory.toml"\n',
      'inventory.toml': fleet.inventoryToml({
        user: options.user,
        ...(options.vars && { vars: options.vars }),
      }),
      ...options.files,
    });
    return await work(stageIn(folder, policy, fleet));
  } finally {
    await fleet.down();
    rmSync(folder, { recursive: true, force: true });
  }
}

function stageIn(folder: string, policy: string, fleet: Fleet): Stage {
  const home = join(folder, 'state');
  mkdirSync(home);
  const launch = (argv: readonly string[]): ChildProcess =>
    spawn(process.execPath, [...profiling(), program, ...argv], {
      cwd: policy,
      env: { ...process.env, XDG_STATE_HOME: home, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  return {
    fleet,
    policy,
    save: (path, text) => writeFileSync(join(policy, path), text),
    cli: (argv, expected = 0) => toTheEnd(launch(argv), argv, expected),
    start: (argv) => running(launch(argv), argv),
  };
}

/** TOWLINE_BENCH_PROFILE names a folder: every process under measurement writes its CPU profile there. */
function profiling(): string[] {
  const folder = process.env.TOWLINE_BENCH_PROFILE;
  return folder === undefined ? [] : ['--cpu-prof', '--cpu-prof-interval=200', `--cpu-prof-dir=${folder}`];
}

async function toTheEnd(
  child: ChildProcess,
  argv: readonly string[],
  expected: number,
): Promise<{ milliseconds: number; output: string }> {
  const startedAt = performance.now();
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (bytes: Buffer) => {
      output += bytes.toString();
    });
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
  const milliseconds = performance.now() - startedAt;
  if (status !== expected) throw new Error(`towline ${argv.join(' ')} ended with ${status}:\n${output}`);
  return { milliseconds, output };
}

function running(child: ChildProcess, argv: readonly string[]): Running {
  const waiting = new Set<{ matches: (event: RunEvent) => boolean; resolve: (event: RunEvent) => void }>();
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  let said = '';
  child.stderr?.on('data', (bytes: Buffer) => {
    said += bytes.toString();
  });
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
    const event = JSON.parse(line) as RunEvent;
    for (const one of waiting) {
      if (!one.matches(event)) continue;
      waiting.delete(one);
      one.resolve(event);
    }
  });
  return {
    child,
    event: (matches) =>
      Promise.race([
        new Promise<RunEvent>((resolve) => waiting.add({ matches, resolve })),
        ended.then((status) => {
          throw new Error(`towline ${argv.join(' ')} ended with ${status}: ${said}`);
        }),
      ]),
    stop: async () => {
      child.kill('SIGINT');
      await ended;
    },
  };
}
