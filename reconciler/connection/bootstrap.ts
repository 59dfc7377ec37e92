/**
 * Starts an agent, or a script of ours, at the end of a Runner: one command, the password if one is asked, the code, and then a clean line.
 * Invariant: what it returns carries frames only; everything else that was said is in a Problem; every wait has a deadline.
 * Never puts a secret or a file on the host.
 */

import { randomBytes } from 'node:crypto';
import { failure, type Problem, placed, type Result, success } from '../../agent/protocol/problem.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import { heldContent } from '../base/content.ts';
import { connectionProblem } from '../base/problem-codes/connection.ts';
import type { AgentBundle } from './agent-bundle.ts';
import { type BecomePlan, becomeRefusal, planBecome, withoutPrompts } from './become.ts';
import { answerPrompt } from './become-dialogue.ts';
import { describeExit, type Exit, LastLines, type RemoteProcess, type Runner } from './line.ts';
import { scriptCommand, startCommand } from './loader.ts';
import { waitForMarker } from './start-marker.ts';

export interface BootstrapOptions {
  readonly bundle: AgentBundle;
  /** Milliseconds from the command to the loader's word. */
  readonly startDeadline: number;
  readonly signal?: AbortSignal | undefined;
}

/** An agent process whose streams carry frames, with what its stderr says last. */
export interface StartedAgent {
  readonly process: RemoteProcess;
  readonly said: LastLines;
  /** Bytes sent to get here. */
  readonly sent: number;
}

type Target = Pick<ConnectionSpec, 'host' | 'become' | 'runtime'>;

/** Starts the agent for a target. */
export async function startAgent(
  runner: Runner,
  target: Target,
  options: BootstrapOptions,
): Promise<Result<StartedAgent>> {
  const { sha256, compression, compressed } = options.bundle;
  const task = { sha256, compression, size: compressed.length };
  const started = await begin(runner, target, {
    ...options,
    payload: { bytes: compressed, sha256 },
    command: ({ marker, become }) =>
      startCommand({
        task: { marker, ...task },
        runtime: target.runtime,
        become: become?.words,
        pty: become?.pty ?? false,
      }),
  });
  return started.ok ? success({ ...started.value, sent: compressed.length }) : started;
}

export interface ScriptOptions extends Waiting {
  /** For sh, on one line; it comes to run as the target's account, and its standard input is untouched. */
  readonly script: string;
}

/** A script whose output begins after our own first word. */
export type StartedScript = Pick<StartedAgent, 'process' | 'said'> & {
  /** The far end has a terminal in raw mode: the end of the input cannot be told. */
  readonly pty: boolean;
};

/** Starts a script as the account that the target's agent runs as. */
export async function startScript(
  runner: Runner,
  target: Pick<ConnectionSpec, 'host' | 'become'>,
  options: ScriptOptions,
): Promise<Result<StartedScript>> {
  const { script, startDeadline, signal } = options;
  return begin(runner, target, {
    startDeadline,
    signal,
    command: ({ marker, become }) =>
      scriptCommand({ marker, script, become: become?.words, pty: become?.pty ?? false }),
  });
}

type Waiting = Pick<BootstrapOptions, 'startDeadline' | 'signal'>;

interface Payload {
  readonly bytes: Buffer;
  readonly sha256: string;
}

interface Beginning extends Waiting {
  command(parts: { readonly marker: string; readonly become: BecomePlan | undefined }): string;
  /** Sent as soon as nothing else can be asked for. */
  readonly payload?: Payload | undefined;
}

async function begin(runner: Runner, target: Target, options: Beginning): Promise<Result<StartedScript>> {
  const marker = randomBytes(16).toString('hex');
  const become =
    target.become === undefined ? undefined : planBecome(target.become, randomBytes(16).toString('hex'));
  const pty = become?.pty ?? false;
  const started = await runner.start(options.command({ marker, become }), { pty });
  if (!started.ok) return started;
  const start: Start = { target, marker, become, options, process: started.value, said: new LastLines() };
  const problem = await bringUp(start);
  if (problem === undefined) return success({ process: start.process, said: start.said, pty });
  start.process.kill();
  return failure(problem);
}

interface Start {
  readonly target: Target;
  readonly marker: string;
  readonly become: BecomePlan | undefined;
  readonly options: Beginning;
  readonly process: RemoteProcess;
  readonly said: LastLines;
}

async function bringUp(start: Start): Promise<Problem | undefined> {
  const { process, options, said, target } = start;
  process.stdin.on('error', () => {});
  process.stderr.on('data', (bytes: Buffer) => said.add(bytes));
  const asks = start.become?.prompt !== undefined;
  const send = (): void => {
    if (options.payload !== undefined) void sendPayload(process, options.payload);
  };
  if (!asks) send();
  const dialogue =
    start.become === undefined || target.become === undefined
      ? undefined
      : answerPrompt(process, { spec: target.become, plan: start.become });
  const seen = await Promise.race([
    waitForMarker(process.stdout, start.marker, {
      deadline: options.startDeadline,
      signal: options.signal,
      exited: process.exited,
    }),
    ...(dialogue === undefined ? [] : [dialogue.refused]),
  ]);
  dialogue?.stop();
  const where = { host: target.host };
  switch (seen.name) {
    case 'word':
      if (seen.word === 'ready' && asks) send();
      return seen.word === 'ready' ? undefined : wordProblem(seen.word, seen.rest, where);
    case 'refused':
      return { ...seen.problem, where };
    case 'noise':
      return connectionProblem('line.no-marker', `64 KiB came before the agent’s first word: ${seen.text}`, {
        where,
      });
    case 'late':
      return withRefusal(start, seen.text, null) ?? lateProblem(start, seen.text);
    case 'cancelled':
      return connectionProblem('line.cancelled', 'the attempt was cancelled while the agent started', {
        where,
      });
    case 'exited':
      return exitProblem(start, seen.exit, seen.text);
    default:
      return seen satisfies never;
  }
}

/** From the cache on the way, if there is one that has it. */
async function sendPayload(process: RemoteProcess, { bytes, sha256 }: Payload): Promise<void> {
  const supplied = await process.supply?.({
    content: { sha256, size: bytes.length },
    offset: 0,
    bytes: bytes.length,
    form: 'raw',
    store: { open: async () => heldContent(bytes) },
  });
  if (supplied?.ok !== true) process.stdin.write(bytes);
}

function wordProblem(word: 'old' | 'missing', rest: string, where: { readonly host: string }): Problem {
  switch (word) {
    case 'old':
      return connectionProblem('runtime.too-old', `the host’s Node is ${rest}`, { where });
    case 'missing':
      return connectionProblem('runtime.missing', `no Node was found on the host (${rest})`, { where });
  }
}

function withRefusal(start: Start, printed: string, status: number | null): Problem | undefined {
  const { become } = start.target;
  if (become === undefined) return undefined;
  const problem = becomeRefusal(become, `${printed}\n${start.said.text}`.trim(), status);
  return problem === undefined
    ? undefined
    : { ...problem, where: { host: start.target.host }, lines: withoutPrompts(start.said.lines.join('\n')) };
}

function lateProblem(start: Start, printed: string): Problem {
  const seconds = start.options.startDeadline / 1000;
  return connectionProblem('line.start-timeout', `no word from the agent within ${seconds} s`, {
    where: { host: start.target.host },
    lines: lastOf(printed, start.said),
  });
}

function exitProblem(start: Start, exit: Exit, printed: string): Problem {
  if (exit.problem !== undefined) return placed(exit.problem, { host: start.target.host });
  const hasEnded = exit.lost === undefined || exit.isUntold === true;
  // A status of null would say that it still runs.
  const refusal = hasEnded
    ? withRefusal(start, printed, exit.isUntold === true ? 1 : exit.status)
    : undefined;
  if (refusal !== undefined) return refusal;
  const code = exit.lost === undefined ? 'line.start-failed' : 'line.lost';
  return connectionProblem(code, `before the agent’s first word: ${describeExit(exit)}`, {
    where: { host: start.target.host },
    lines: lastOf(printed, start.said),
  });
}

function lastOf(printed: string, said: LastLines): readonly string[] {
  const lines = new LastLines();
  lines.add(printed);
  return [...lines.lines, ...said.lines].slice(-10);
}
