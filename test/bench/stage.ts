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
import { TcpLink } from '../helpers/tcp-link.ts';
import type { Target } from './peers/ansible.ts';
import { profiling, type Release, release } from './release.ts';

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
  /** Every host is reached through a link that counts and can be slow. */
  readonly linked?: boolean;
}

export interface Stage {
  readonly fleet: Fleet;
  /** The policy repository. */
  readonly policy: string;
  /** Where the state is. */
  readonly state: string;
  /** The links, in the order of the hosts; none unless asked for. */
  readonly links: readonly TcpLink[];
  /** Where each host is reached: through its link, or directly. */
  readonly targets: readonly Target[];
  /** Sets the round trip time of every link. */
  roundTrip(milliseconds: number): void;
  /** Writes a file of the policy, without a commit. */
  save(path: string, text: string): void;
  /** Runs a command to its end; milliseconds of the whole process. Fails on another exit status. */
  cli(argv: readonly string[], expected?: number): Promise<{ milliseconds: number; output: string }>;
  /** Starts a command that goes on, with its JSON lines. */
  start(argv: readonly string[]): Running;
}

export interface Running {
  readonly pid: number;
  /** The next event that this says yes to. */
  event(matches: (event: RunEvent) => boolean): Promise<RunEvent>;
  /** Interrupts it and waits for its end. */
  stop(): Promise<void>;
}

/** Whatever ends the bench, no process of a stage goes on after it. */
const children = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});
process.once('SIGTERM', () => process.exit(1));

/** Sets the stage for `work` and clears it. */
export async function onStage<T>(options: StageOptions, work: (stage: Stage) => Promise<T>): Promise<T> {
  const built = await release();
  const folder = mkdtempSync(join(tmpdir(), 'towline-bench-'));
  const { units } = options;
  const fleet = await upFleet({ count: options.hosts, ...(units && { systemdStub: true, units }) });
  const links = options.linked === true ? await linksTo(fleet) : [];
  try {
    const policy = join(folder, 'policy');
    const hostVars = Object.fromEntries(
      links.map((link, index) => [
        fleet.hosts[index]?.name ?? '',
        { towline_host: '127.0.0.1', towline_port: link.port },
      ]),
    );
    createRepository(policy, {
      'towline.toml': '[environments.bench]\nbranch = "main"\ninventory = "inventory.toml"\n',
      'inventory.toml': fleet.inventoryToml({
        user: options.user,
        hostVars,
        ...(options.vars && { vars: options.vars }),
      }),
      ...options.files,
    });
    return await work(stageIn({ folder, policy, fleet, links, built }));
  } finally {
    await Promise.all(links.map((link) => link.close()));
    await fleet.down();
    rmSync(folder, { recursive: true, force: true });
  }
}

function linksTo(fleet: Fleet): Promise<TcpLink[]> {
  return Promise.all(fleet.hosts.map(({ address, port }) => TcpLink.open({ host: address, port })));
}

interface Parts {
  readonly folder: string;
  readonly policy: string;
  readonly fleet: Fleet;
  readonly links: readonly TcpLink[];
  readonly built: Release;
}

function stageIn({ folder, policy, fleet, links, built }: Parts): Stage {
  const home = join(folder, 'state');
  mkdirSync(home);
  const launch = (argv: readonly string[]): ChildProcess => {
    const child = spawn(process.execPath, [...profiling(), built.program, ...argv], {
      cwd: policy,
      env: { ...process.env, ...built.env, TOWLINE_STATE: home, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.add(child);
    child.once('close', () => children.delete(child));
    return child;
  };
  return {
    fleet,
    policy,
    state: home,
    links,
    targets: fleet.hosts.map(({ name, address, port }, index) => {
      const link = links[index];
      return link === undefined ? { name, address, port } : { name, address: '127.0.0.1', port: link.port };
    }),
    roundTrip: (milliseconds) => {
      for (const link of links) link.quality = { delay: milliseconds / 2 };
    },
    save: (path, text) => writeFileSync(join(policy, path), text),
    cli: (argv, expected = 0) => toTheEnd(launch(argv), argv, expected),
    start: (argv) => running(launch(argv), argv),
  };
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
    pid: child.pid ?? 0,
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
