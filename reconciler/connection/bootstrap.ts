/**
 * Starts an agent at the end of a Runner: one command, the password if one is asked, the code, and then a clean line.
 * Invariant: what it returns carries frames only; everything else that was said is in a Problem; every wait has a deadline.
 * Never puts a secret or a file on the host.
 */

import { randomBytes } from 'node:crypto';
import { failure, type Problem, type Result, success } from '../../agent/protocol/problem.ts';
import { openSecret } from '../../agent/protocol/secret.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import { connectionProblem } from '../base/problem-codes/connection.ts';
import type { AgentBundle } from './agent-bundle.ts';
import { type BecomePlan, becomeRefusal, planBecome } from './become.ts';
import { describeExit, type Exit, LastLines, type RemoteProcess, type Runner } from './line.ts';
import { startCommand } from './loader.ts';
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
  const marker = randomBytes(16).toString('hex');
  const become =
    target.become === undefined ? undefined : planBecome(target.become, randomBytes(16).toString('hex'));
  const started = await runner.start(commandFor(target, marker, { become, bundle: options.bundle }), {
    pty: become?.pty ?? false,
  });
  if (!started.ok) return started;
  const start: Start = { target, marker, become, options, process: started.value, said: new LastLines() };
  const problem = await bringUp(start);
  if (problem === undefined)
    return success({ process: start.process, said: start.said, sent: options.bundle.compressed.length });
  start.process.kill();
  return failure(problem);
}

interface Start {
  readonly target: Target;
  readonly marker: string;
  readonly become: BecomePlan | undefined;
  readonly options: BootstrapOptions;
  readonly process: RemoteProcess;
  readonly said: LastLines;
}

function commandFor(
  target: Target,
  marker: string,
  parts: { readonly become: BecomePlan | undefined; readonly bundle: AgentBundle },
): string {
  const { bundle, become } = parts;
  const { sha256, compression } = bundle;
  return startCommand({
    task: { marker, sha256, compression, size: bundle.compressed.length },
    runtime: target.runtime,
    become: become?.words,
    pty: become?.pty ?? false,
  });
}

async function bringUp(start: Start): Promise<Problem | undefined> {
  const { process, options, said, target } = start;
  process.stdin.on('error', () => {});
  process.stderr.on('data', (bytes: Buffer) => said.add(bytes));
  const asks = start.become?.prompt !== undefined;
  if (!asks) process.stdin.write(options.bundle.compressed);
  const password = answerPrompts(start);
  const seen = await Promise.race([
    waitForMarker(process.stdout, start.marker, {
      deadline: options.startDeadline,
      signal: options.signal,
      exited: process.exited,
    }),
    password.wrong,
  ]);
  password.stop();
  const where = { host: target.host };
  switch (seen.name) {
    case 'word':
      if (seen.word === 'ready' && asks) process.stdin.write(options.bundle.compressed);
      return seen.word === 'ready' ? undefined : wordProblem(seen.word, seen.rest, where);
    case 'wrong-password':
      return connectionProblem(
        'become.wrong-password',
        `${target.become?.method} asked for the password again`,
        {
          where,
        },
      );
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

interface PasswordDialogue {
  readonly wrong: Promise<{ readonly name: 'wrong-password' }>;
  stop(): void;
}

/** Answers the prompt once; a second prompt means that the password is wrong. */
function answerPrompts(start: Start): PasswordDialogue {
  const { process, become, target } = start;
  const prompt = become?.prompt;
  const password = target.become?.password;
  if (prompt === undefined || password === undefined) return { wrong: new Promise(() => {}), stop: () => {} };
  const stream = become?.pty ? process.stdout : process.stderr;
  let text = '';
  let answered = false;
  const refused = Promise.withResolvers<{ readonly name: 'wrong-password' }>();
  const listen = (bytes: Buffer): void => {
    text = (text + bytes.toString('latin1')).slice(-4096);
    if (!prompt.test(text)) return;
    text = '';
    if (answered) refused.resolve({ name: 'wrong-password' });
    else process.stdin.write(`${openSecret(password)}\n`);
    answered = true;
  };
  stream.on('data', listen);
  return { wrong: refused.promise, stop: () => stream.off('data', listen) };
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
    : { ...problem, where: { host: start.target.host }, lines: start.said.lines };
}

function lateProblem(start: Start, printed: string): Problem {
  const seconds = start.options.startDeadline / 1000;
  return connectionProblem('line.start-timeout', `no word from the agent within ${seconds} s`, {
    where: { host: start.target.host },
    lines: lastOf(printed, start.said),
  });
}

function exitProblem(start: Start, exit: Exit, printed: string): Problem {
  const refusal = exit.lost === undefined ? withRefusal(start, printed, exit.status) : undefined;
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
