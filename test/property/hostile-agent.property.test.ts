/**
 * A hundred thousand hostile agents against the controller's side of the line, each another, all repeatable by their seed.
 * Invariant of every case: opening and calls end, with an answer or a Problem of a known code with a hint about this host;
 * nothing is thrown past them, what is held stays bounded, and an honest host beside them is served.
 * TOWLINE_FUZZ_SEED repeats a run, TOWLINE_FUZZ_CASE one case of it; TOWLINE_FUZZ_CASES changes how many there are.
 */

import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { Problem, Result } from '../../agent/protocol/problem.ts';
import { agentProblems } from '../../reconciler/base/problem-codes/agent.ts';
import { connectionProblems } from '../../reconciler/base/problem-codes/connection.ts';
import { openSession } from '../../reconciler/connection/agent-session.ts';
import type { HostSession } from '../../reconciler/connection/session.ts';
import { convergeCall, filePlan, MemoryContents } from '../helpers/lines.ts';
import { type Seeded, seeded } from '../helpers/seeded.ts';
import { contentAnswers, honestAgent, SimulatedAgent } from '../helpers/simulated-agent.ts';
import { type Asked, firstWord, nextMove } from './hostile-moves.ts';

const seed = Number(process.env.TOWLINE_FUZZ_SEED ?? 20_261_121);
const cases = Number(process.env.TOWLINE_FUZZ_CASES ?? 100_000);
const only = process.env.TOWLINE_FUZZ_CASE;
const together = 500;
const deadlines = { hello: 10, heartbeat: 5000, facts: 10, ping: 10, grace: 10, cancel: 5, close: 5 };
/** Bytes that may wait for an agent that reads nothing: what was asked of it, and one buffer of a stream. */
const mostUntaken = 256 * 1024;

const contents = new MemoryContents();
const content = contents.add(Buffer.from('content of a file '.repeat(20)));
const call = convergeCall(filePlan('web', [content]), contents);
const asked: Asked = {
  key: call.key,
  run: call.run,
  digest: call.digest,
  own: content,
  foreign: 'b'.repeat(64),
};
const known: Readonly<Record<string, { readonly hint: string }>> = {
  ...agentProblems,
  ...connectionProblems,
};

interface Seen {
  readonly codes: Map<string, number>;
  answered: number;
}

function check(problem: Problem, seen: Seen): void {
  seen.codes.set(problem.code, (seen.codes.get(problem.code) ?? 0) + 1);
  if (known[problem.code] === undefined) throw new Error(`unknown code ${problem.code}: ${problem.message}`);
  if (problem.hint === '' || problem.where?.host !== 'bad') throw new Error(JSON.stringify(problem));
  if (problem.message.length > 20_000) throw new Error(`a message of ${problem.message.length} characters`);
}

function checkEnd(end: Result<unknown>, seen: Seen): void {
  if (end.ok) seen.answered += 1;
  else check(end.problem, seen);
}

/** One hostile agent from its first word to its end. */
async function runCase(random: Seeded, seen: Seen): Promise<void> {
  const agent = new SimulatedAgent({ reads: !random.oneIn(4) });
  const opening = openSession('bad', agent.started, deadlines);
  agent.push(firstWord(random, asked));
  const scene = [];
  for (let count = random.below(5); count >= 0; count -= 1) scene.push(nextMove(random, asked));
  const isAtOnce = random.oneIn(3);
  if (isAtOnce) agent.push(...scene.flat());
  if (random.oneIn(20)) agent.exit({ status: random.below(256), signal: null });
  const opened = await opening;
  if (!opened.ok) return check(opened.problem, seen);
  const session = opened.value;
  const calls = startCalls(session, random);
  if (!isAtOnce) {
    for (const pieces of scene) {
      agent.push(...pieces);
      if (random.oneIn(2)) await turn();
    }
  }
  if (agent.untaken > mostUntaken)
    throw new Error(`${agent.untaken} bytes wait for an agent that does not read`);
  if (random.oneIn(3)) agent.end();
  if (random.oneIn(3)) agent.exit({ status: null, signal: 'SIGKILL' });
  for (let count = 0; count < 4; count += 1) await turn();
  await session.close('the case is over');
  for (const end of await Promise.all(calls)) checkEnd(end, seen);
  const problem = await session.ended;
  if (problem !== undefined) check(problem, seen);
  const late = await session.ping();
  if (late.ok) throw new Error('a session that has ended answers');
  check(late.problem, seen);
}

function startCalls(session: HostSession, random: Seeded): Promise<Result<unknown>>[] {
  const onEvents = (): void => {};
  const first = random.pick([
    () => session.converge({ ...call, onEvents }),
    () => session.converge({ ...call, onEvents }),
    () => session.exec({ argv: ['true'], timeout: 0.01, onOutput: () => {} }),
    () => runProgram(session, random),
  ])();
  return [first, session.ping(), ...(random.oneIn(4) ? [session.facts()] : [])];
}

/** A program of which somebody reads the output, or nobody. */
async function runProgram(session: HostSession, random: Seeded): Promise<Result<unknown>> {
  const started = await session.start(['sh']);
  if (!started.ok) return started;
  if (random.oneIn(2)) started.value.stdout.resume();
  // What nobody reads holds up the news of an end for a moment; nobody waits for it here.
  void session.ended.then(() => started.value.release());
  if (random.oneIn(2)) started.value.stdin.end(random.bytes(9));
  const { problem } = await started.value.exited;
  return problem === undefined ? { ok: true, value: undefined } : { ok: false, problem };
}

async function honest(): Promise<HostSession> {
  const opened = await openSession('good', honestAgent(contentAnswers).started);
  if (!opened.ok) throw new Error(opened.problem.message);
  return opened.value;
}

it(`keeps its word to ${cases} hostile agents and to an honest host beside them`, async () => {
  const thrown: unknown[] = [];
  const note = (error: unknown): void => void thrown.push(error);
  process.on('uncaughtException', note).on('unhandledRejection', note);
  const seen: Seen = { codes: new Map(), answered: 0 };
  const good = await honest();
  const numbers = only === undefined ? Array.from({ length: cases }, (_, index) => index) : [Number(only)];
  try {
    for (let at = 0; at < numbers.length; at += together) {
      const batch = numbers.slice(at, at + together);
      await Promise.all(
        batch.map((number) =>
          runCase(seeded(seed + number * 7919), seen).catch((error: unknown) => {
            throw new Error(`TOWLINE_FUZZ_SEED=${seed} TOWLINE_FUZZ_CASE=${number}`, { cause: error });
          }),
        ),
      );
      expect((await good.ping()).ok && (await good.converge(call)).ok).toBe(true);
      expect(thrown, `TOWLINE_FUZZ_SEED=${seed}, cases ${at} to ${at + batch.length - 1}`).toEqual([]);
    }
  } finally {
    process.off('uncaughtException', note).off('unhandledRejection', note);
    await good.close('the test is over');
  }
  if (only !== undefined) return;
  const codes = Object.fromEntries(seen.codes);
  process.stdout.write(
    `${cases} hostile agents, ${seen.answered} calls answered: ${JSON.stringify(codes)}\n`,
  );
  expect(seen.answered).toBeGreaterThan(cases / 100);
  for (const code of [
    ...['protocol.bad-frame', 'protocol.bad-message', 'protocol.frame-too-large', 'protocol.illegal-state'],
    ...['protocol.version-mismatch', 'blob.refused', 'line.lost', 'line.closed', 'line.start-timeout'],
  ])
    expect(codes[code], code).toBeGreaterThan(0);
}, 300_000);
