/**
 * apt-get as a transaction: what it is told, how its refusals become problems, how a broken-off one is finished.
 * Invariant: fixed options, no prompt, one call for all installs and removals (one more for purges).
 * Never forces anything but a downgrade that a pinned version asks for.
 */

import { type Problem, ProblemError } from '../../protocol/problem.ts';
import { type AgentProblemCode, agentProblem } from '../../protocol/problem-codes.ts';
import { howEnded, lastLines } from '../../system/program-end.ts';
import type { RunResult, System } from '../../system/system.ts';
import { policiesKey } from './apt-policy.ts';
import { dpkgKey } from './dpkg-database.ts';
import type { PackageItem } from './manager.ts';

const lists = '/var/lib/apt/lists';
const listStamps = [lists, `${lists}/partial`, '/var/lib/apt/periodic/update-success-stamp'];
const environment = {
  DEBIAN_FRONTEND: 'noninteractive',
  APT_LISTCHANGES_FRONTEND: 'none',
  LC_ALL: 'C.UTF-8',
};
const settings = [
  'Dpkg::Options::=--force-confdef',
  'Dpkg::Options::=--force-confold',
  'DPkg::Lock::Timeout=60',
  'Dpkg::Use-Pty=0',
].flatMap((setting) => ['-o', setting]);

/** What to tell apt-get about some packages. */
export interface AptCalls {
  readonly install: readonly string[];
  readonly remove: readonly string[];
  readonly purge: readonly string[];
}

/** Applies the changes of several packages; installs and removals in one transaction. */
export async function runTransaction(system: System, items: readonly PackageItem[]): Promise<void> {
  const { install, remove, purge } = callsFor(items);
  try {
    if (install.length + remove.length > 0) {
      const guards = [
        ...(remove.length === 0 ? ['--no-remove'] : []),
        ...((await anyDowngrade(system, items)) ? ['--allow-downgrades'] : []),
      ];
      await aptGet(system, [...guards, 'install', ...install, ...remove.map((name) => `${name}-`)]);
    }
    if (purge.length > 0) await aptGet(system, ['purge', ...purge]);
  } finally {
    system.forget(dpkgKey);
  }
}

/** Runs `apt-get update` when the lists are older than `refreshAfter` seconds. */
export async function refreshLists(system: System, refreshAfter: number): Promise<void> {
  let newest = 0;
  for (const path of listStamps) newest = Math.max(newest, (await system.stat(path))?.modifiedMs ?? 0);
  const now = Number((await system.run(['date', '+%s'])).stdout);
  if (now - newest / 1000 < refreshAfter && (await haveLists(system))) return;
  await aptGet(system, ['update']);
  // An update that found nothing new leaves the old time on the lists.
  await system.run(['touch', '-c', lists]);
  system.forget(policiesKey);
}

/** The names as apt-get takes them. */
export function callsFor(items: readonly PackageItem[]): AptCalls {
  const calls: Record<keyof AptCalls, string[]> = { install: [], remove: [], purge: [] };
  for (const { wanted } of items) {
    const { version, purge } = wanted;
    if (wanted.state === 'absent') calls[purge ? 'purge' : 'remove'].push(wanted.package);
    else calls.install.push(version === undefined ? wanted.package : `${wanted.package}=${version}`);
  }
  return calls;
}

/** What apt-get's last words mean. */
export function aptProblem(verb: string, result: RunResult): Problem {
  const text = `${result.stdout}\n${result.stderr}`;
  const problem = (code: AgentProblemCode, message: string): Problem =>
    agentProblem(code, message, { lines: lastLines(text) });
  const unknown =
    /Unable to locate package (\S+)/.exec(text) ??
    /Package '?([^\s']+)'? has no installation candidate/.exec(text) ??
    /(Version '.*?' for '.*?') was not found/.exec(text);
  if (unknown) return problem('package.unknown', `no package source of this host has ${unknown[1]}`);
  const isLocked = /Could not get lock|Unable to (?:acquire|lock)|locked by another process/.test(text);
  if (isLocked && !text.includes('are you root?')) {
    return problem('package.locked', `apt-get ${verb} did not get the package database's lock`);
  }
  if (text.includes('remove is disabled')) {
    return problem('package.conflict', 'apt would have to remove packages that no resource removes');
  }
  return problem('package.failed', `apt-get ${verb} ${howEnded(result)}`);
}

async function aptGet(system: System, args: readonly string[]): Promise<void> {
  const argv = ['apt-get', '-y', '-q', ...settings, ...args];
  let result = await system.run(argv, { env: environment });
  if (result.status !== 0 && result.stderr.includes('dpkg was interrupted')) {
    const finish = ['dpkg', '--force-confdef', '--force-confold', '--configure', '-a'];
    await system.run(finish, { env: environment });
    result = await system.run(argv, { env: environment });
  }
  if (result.status === 0) return;
  const verb = args.find((arg) => !arg.startsWith('-')) ?? '';
  throw new ProblemError(aptProblem(verb, result));
}

async function haveLists(system: System): Promise<boolean> {
  return (await system.list(lists)).some((name) => /_(Packages|InRelease|Release)/.test(name));
}

/** Whether a pinned version lies below the installed one, by dpkg's order. */
async function anyDowngrade(system: System, items: readonly PackageItem[]): Promise<boolean> {
  for (const { wanted, changes } of items) {
    const from = changes.find((change) => change.property === 'version')?.from;
    if (wanted.version !== undefined && from !== undefined) {
      const compare = ['dpkg', '--compare-versions', wanted.version, 'lt', from];
      if ((await system.run(compare)).status === 0) return true;
    }
  }
  return false;
}
