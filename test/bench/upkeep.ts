/**
 * What keeping hosts in order costs: processor time for 1,000 resource checks and memory, of controller and agent, and of an agent at rest.
 * Invariant: processor time is judged against a fixed piece of work done in the same run, memory in MiB; a fifth more than recorded fails.
 * Never judges wall-clock time.
 */

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ConnectionPool, poolOptions } from '../../reconciler/connection/pool.ts';
import { childrenOf } from '../helpers/processes.ts';
import type { Bench, Figure } from './bench.ts';
import { openPlanner } from './planner.ts';
import { onStage, type Stage } from './stage.ts';
import { thousandFiles, thousandRole } from './thousand-files.ts';

/** What was measured last; a run may be a fifth above. Processor time as a share of the reference work's. */
const recorded = {
  controllerTime: 0.33,
  agentTime: 1.0,
  controllerMemory: 172,
  agentMemory: 85,
  restingAgentMemory: 66,
};
const tolerance = 1.2;
const thousand = { ...thousandRole(0), ...thousandFiles(0) };
const rounds = 12;
const idleSeconds = 5;

export const upkeep: Bench = {
  name: 'upkeep',
  summary: 'processor time and memory for 1,000 resource checks, of controller and agent; an agent at rest',
  minutes: 2,
  parts: [
    () => onStage({ hosts: 1, user: 'root', files: thousand }, looking),
    () => onStage({ hosts: 1, user: 'root', files: thousand }, residentReconciler),
  ],
};

interface Round {
  readonly reference: number;
  readonly controller: number;
  readonly agent: number;
}

async function looking(stage: Stage): Promise<readonly Figure[]> {
  const pool = new ConnectionPool(poolOptions(() => {}));
  const reconciler = await openPlanner(stage.policy, join(stage.state, 'looking'), pool);
  await reconciler.run('apply', 'done');
  const taken: Round[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    const reference = referenceWork();
    const before = { controller: ownTime(), agent: agentTime(stage) };
    await reconciler.run('drift-report', 'done');
    const [controller, agent] = [ownTime() - before.controller, agentTime(stage) - before.agent];
    if (round > 0) taken.push({ reference, controller, agent });
  }
  const memory = agentMemory(stage);
  await reconciler.close();
  // Whatever else the machine does only adds to what processor time is counted: the least is the nearest.
  const least = (part: keyof Round): number => Math.min(...taken.map((one) => one[part]));
  const reference = least('reference');
  const time = (name: string, value: number, share: number): Figure => ({
    ...{ name, value, unit: 'ms', beside: { 'reference work': reference } },
    budget: { of: 'reference work', share: share * tolerance },
  });
  return [
    time('controller: processor time for 1,000 checks', least('controller'), recorded.controllerTime),
    time('agent: processor time for 1,000 checks', least('agent'), recorded.agentTime),
    memoryFigure('agent after 13,000 checks: resident memory', memory, recorded.agentMemory),
  ];
}

/** A reconciler as people run it, after a role of 1,000 files, and its agent. */
async function residentReconciler(stage: Stage): Promise<readonly Figure[]> {
  const running = stage.start(['watch', '--json']);
  await running.event((event) => event.type === 'run-finished');
  await pause(1000);
  const [controller, idle, before] = [withChildren(running.pid), agentMemory(stage), agentTime(stage)];
  await pause(idleSeconds * 1000);
  const idleTime = ((agentTime(stage) - before) * 60) / idleSeconds;
  await running.stop();
  return [
    memoryFigure(
      'controller with its worker and bundler after a role of 1,000 files: memory',
      controller,
      recorded.controllerMemory,
    ),
    memoryFigure(
      'agent at rest after a role of 1,000 files: resident memory',
      idle,
      recorded.restingAgentMemory,
    ),
    { name: 'agent at rest: processor time a minute', value: idleTime, unit: 'ms' },
  ];
}

function memoryFigure(name: string, value: number, last: number): Figure {
  return { name, value, unit: 'MiB', budget: { most: last * tolerance } };
}

/** Milliseconds of processor time that hashing and JSON of a fixed size take on this machine now. */
function referenceWork(): number {
  const startedAt = ownTime();
  const rows = Array.from({ length: 20_000 }, (_, index) => ({
    index,
    name: `row ${index}`,
    on: index % 3 === 0,
  }));
  let bytes = 0;
  for (let turn = 0; turn < 5; turn += 1) {
    const text = JSON.stringify(JSON.parse(JSON.stringify(rows)));
    bytes += createHash('sha256').update(text).digest().length;
  }
  if (bytes !== 160) throw new Error('the reference work went wrong');
  return ownTime() - startedAt;
}

/** Milliseconds of processor time of this process so far, all threads. */
function ownTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function agentPid(stage: Stage): number {
  const [pid] = stage.fleet.hosts[0]?.agentPids() ?? [];
  if (pid === undefined) throw new Error('there is no agent');
  return pid;
}

/** Milliseconds of processor time of the agent's threads so far; a tick of /proc/pid/stat would be a fifth of a round. */
function agentTime(stage: Stage): number {
  const threads = `/proc/${agentPid(stage)}/task`;
  const nanoseconds = readdirSync(threads).map((thread) =>
    Number(readFileSync(`${threads}/${thread}/schedstat`, 'utf8').split(' ')[0]),
  );
  return nanoseconds.reduce((sum, one) => sum + one, 0) / 1e6;
}

function agentMemory(stage: Stage): number {
  return memoryOf(agentPid(stage));
}

/** MiB of a process and of those it has started; what several share counts once. */
function withChildren(pid: number): number {
  const kibibytes = [pid, ...childrenOf(pid)].map((each) => {
    const sums = readFileSync(`/proc/${each}/smaps_rollup`, 'utf8');
    return Number(/^Pss:\s+(\d+) kB$/m.exec(sums)?.[1] ?? 0);
  });
  return kibibytes.reduce((sum, each) => sum + each, 0) / 1024;
}

/** MiB. */
function memoryOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024;
}
