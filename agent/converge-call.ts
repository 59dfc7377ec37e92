/**
 * A converge message from arrival to answer: the plan put together, the host lock, the journal, the work, the result.
 * Invariant: check mode takes no lock and writes nothing; a plan is held only after it was understood whole.
 * Never throws: what goes wrong is the result's problem.
 */

import type { Blobs } from './blobs.ts';
import { converge, resultOf } from './converge.ts';
import type { Journal } from './journal.ts';
import { type Taken, takeLock } from './lock.ts';
import { pause } from './pause.ts';
import type { Facts } from './protocol/facts.ts';
import type { AgentEvent, ConvergeMessage, ConvergeResult } from './protocol/message.ts';
import { applyDelta, planResources, type RolePlan, resourceContents } from './protocol/plan.ts';
import type { Problem } from './protocol/problem.ts';
import { agentProblem, refusal, thrownProblem } from './protocol/problem-codes.ts';
import type { ContentReader } from './system/content-reader.ts';
import { ownBase } from './system/exec.ts';
import { PosixSystem } from './system/posix.ts';
import { PosixReader } from './system/reader.ts';

/** A plan the agent keeps, so that the next call can be a few bytes. */
export interface HeldPlan {
  readonly digest: string;
  readonly plan: RolePlan;
}

export interface ConvergeCallOptions {
  readonly blobs: Blobs;
  readonly journal: Journal;
  readonly lockDirectory: string;
  readonly held: Map<string, HeldPlan>;
  readonly facts: Facts;
  readonly stop: AbortSignal;
  readonly emit: (event: AgentEvent) => void;
  readonly now: () => number;
  readonly date: () => string;
}

interface WorkOptions extends ConvergeCallOptions {
  readonly contents: ContentReader;
}

/** Does what a converge message asks. */
export async function runConverge(
  message: ConvergeMessage,
  options: ConvergeCallOptions,
): Promise<ConvergeResult> {
  try {
    const plan = assemble(message, options.held);
    options.held.set(message.key, { digest: message.digest, plan });
    const contents = await withPrograms(plan, options.blobs);
    return message.mode === 'check'
      ? await work(message, plan, { ...options, contents })
      : await underLock(message, plan, { ...options, contents });
  } catch (error) {
    return notStarted(message, thrownProblem(error));
  }
}

function assemble(message: ConvergeMessage, held: ReadonlyMap<string, HeldPlan>): RolePlan {
  if ('whole' in message.plan) return message.plan.whole;
  const base = held.get(message.key);
  const wanted = 'delta' in message.plan ? message.plan.delta.base : message.digest;
  if (base?.digest !== wanted) {
    throw refusal('agent.plan-not-held', `this agent does not hold ${message.key} at ${wanted.slice(0, 12)}`);
  }
  return 'delta' in message.plan ? applyDelta(base.plan, message.plan.delta) : base.plan;
}

/** Templates rendered here need their program, whatever its size, before the first look and until the end. */
async function withPrograms(plan: RolePlan, blobs: Blobs): Promise<ContentReader> {
  const programs = new Map<string, Buffer>();
  for (const resource of planResources(plan)) {
    const program =
      resource.kind === 'file' || resource.kind === 'template'
        ? resource.wanted.deferred?.program
        : undefined;
    if (program) programs.set(program.sha256, await blobs.whole(program));
  }
  return {
    held: (content) => programs.get(content.sha256) ?? blobs.held(content),
    open: (content) => blobs.open(content),
  };
}

async function underLock(
  message: ConvergeMessage,
  plan: RolePlan,
  options: WorkOptions,
): Promise<ConvergeResult> {
  const taken = await takeLockWithin(message, options);
  if (!taken.free) {
    if (options.stop.aborted) return notStarted(message, options.stop.reason as Problem);
    const { holder } = taken;
    const who = holder ? `run ${holder.run} (process ${holder.pid})` : 'another run';
    return notStarted(message, agentProblem('agent.busy', `${who} is converging this host`));
  }
  try {
    return await work(message, plan, options);
  } finally {
    await taken.release();
  }
}

async function takeLockWithin(message: ConvergeMessage, options: ConvergeCallOptions): Promise<Taken> {
  const until = options.now() + (message.lockWait ?? 0) * 1000;
  for (let said = false; ; said = true) {
    const taken = await takeLock(options.lockDirectory, message.run);
    if (taken.free || options.now() >= until || options.stop.aborted) return taken;
    if (!said) options.emit({ event: 'waiting', reason: `run ${taken.holder?.run ?? '?'} holds this host` });
    await pause(100, options.stop);
  }
}

async function work(message: ConvergeMessage, plan: RolePlan, options: WorkOptions): Promise<ConvergeResult> {
  const { key, digest, run, mode } = message;
  const { journal, contents, emit, facts, blobs } = options;
  const writes = mode === 'apply';
  const record = writes ? journal.record({ run, key, digest, startedAt: options.date() }) : undefined;
  const memory = new Map<string, Promise<unknown>>();
  // Asked once: the answer comes out of the account database.
  const base = ownBase();
  const quiet = new Set(
    planResources(plan)
      .filter(({ meta }) => meta.sensitive)
      .map(({ id }) => id as string),
  );
  const touch = (resource: string, signal: AbortSignal) => ({
    facts,
    contents,
    signal,
    memory,
    base,
    onOutput: (stream: 'stdout' | 'stderr', text: string) => {
      if (!quiet.has(resource)) emit({ event: 'output', resource, stream, text });
    },
  });
  const result = await converge(plan, {
    ...message,
    journal: record,
    interrupted: writes ? await journal.interrupted(key, digest) : undefined,
    stop: options.stop,
    emit,
    arrival: (resource) => blobs.inHand(resourceContents(resource)),
    reader: (resource, signal) => new PosixReader(touch(resource, signal)),
    system: (resource, signal) => new PosixSystem(touch(resource, signal)),
    now: options.now,
  });
  record?.end(result);
  if (writes && result.ok) await journal.settle(key, run);
  return result;
}

function notStarted(message: ConvergeMessage, problem: Problem): ConvergeResult {
  return resultOf(message, { reports: [], problem, milliseconds: 0 });
}
