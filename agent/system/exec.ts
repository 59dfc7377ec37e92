/**
 * Runs one program: argv, its own process group, a clean environment, bounded output, an end that always comes.
 * Invariant: the first reason a program was ended stays the reason; nothing of its group outlives a timeout or an abort.
 * Never a shell; never passes on the agent's environment.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import type { ProblemError } from '../protocol/problem.ts';
import { refusal } from '../protocol/problem-codes.ts';
import { errnoOf } from './errors.ts';
import { OutputTail } from './output-tail.ts';
import { ownAccount } from './own-account.ts';
import { statSync } from './platform.ts';
import type { RunOptions, RunResult } from './system.ts';

/** Milliseconds between the polite and the final signal. */
const grace = 2000;
/** Milliseconds a stream may stay silent after its program ended: a daemon may hold it open for ever. */
const drain = 100;
const systemPath = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** What a program's environment is made of. */
export interface EnvironmentBase {
  readonly path: string;
  readonly home: string;
  readonly user: string;
}

export interface ProgramOptions extends RunOptions {
  /** Default: this process's account and PATH. */
  readonly base?: EnvironmentBase | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The clean environment: absolute directories of the given PATH, then the system's own. */
export function cleanEnvironment(base: EnvironmentBase): Record<string, string> {
  const given = base.path.split(':').filter((directory) => directory.startsWith('/'));
  const path = [...new Set([...given, ...systemPath])].join(':');
  return { PATH: path, HOME: base.home, USER: base.user, LOGNAME: base.user, LANG: 'C.UTF-8' };
}

/** What the agent's own process gives to programs. */
export function ownBase(): EnvironmentBase {
  const { name, home } = ownAccount();
  return { path: process.env.PATH ?? '', home, user: name };
}

/** Runs argv to its end. Throws command.not-found when it cannot start, agent.cancelled when aborted before. */
export async function runProgram(argv: readonly string[], options: ProgramOptions = {}): Promise<RunResult> {
  if (options.signal?.aborted) {
    const message = `${argv[0]} was not started: the run is cancelled`;
    throw refusal('agent.cancelled', message);
  }
  const child = await startProgram(argv, options);
  return new Promise((resolve) => follow(child, options, resolve));
}

export type StartedProgram = ChildProcess & { readonly pid: number };

/** Starts argv at the head of a process group of its own. Throws command.not-found when it cannot. */
export function startProgram(
  argv: readonly string[],
  options: Pick<ProgramOptions, 'base' | 'env' | 'cwd' | 'stdin'>,
): Promise<StartedProgram> {
  return new Promise((resolve, reject) => {
    const refuse = (error: unknown): void => reject(notStarted(argv, options.cwd, error));
    try {
      const child = spawn(argv[0] ?? '', argv.slice(1), {
        env: { ...cleanEnvironment(options.base ?? ownBase()), ...options.env },
        cwd: options.cwd ?? '/',
        detached: true,
        stdio: [options.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      });
      child.on('error', refuse);
      if (child.pid !== undefined) resolve(child as StartedProgram);
    } catch (error) {
      refuse(error);
    }
  });
}

function follow(child: StartedProgram, options: ProgramOptions, done: (result: RunResult) => void): void {
  const tails = { stdout: new OutputTail(), stderr: new OutputTail() };
  let isOver = false;
  let drained: NodeJS.Timeout | undefined;
  const sources = [child.stdout, child.stderr];
  /** In two halves: an agent that was itself kept from running reads what came meanwhile before the second is over. */
  const awaitSilence = (halves = 2): void => {
    clearTimeout(drained);
    if (!isOver || sources.some((source) => source?.isPaused())) return;
    if (halves === 0) finish();
    else drained = setTimeout(awaitSilence, drain / 2, halves - 1);
  };
  const goOn = (): void => {
    for (const source of sources) source?.resume();
    awaitSilence();
  };
  const ender = endOnReason(child.pid, options, goOn);
  const finish = (): void => {
    clearTimeout(drained);
    ender.stop();
    for (const source of sources) source?.destroy();
    for (const stream of ['stdout', 'stderr'] as const) say(options, stream, tails[stream].rest());
    done({
      status: child.exitCode,
      signal: child.signalCode,
      stdout: tails.stdout.text(),
      stderr: tails.stderr.text(),
      timedOut: ender.reason() === 'timeout',
    });
  };
  for (const stream of ['stdout', 'stderr'] as const) {
    const source = child[stream];
    source?.on('data', (chunk: Buffer) => {
      const room = say(options, stream, tails[stream].push(chunk));
      if (room && !ender.reason()) {
        source.pause();
        void room.then(goOn);
      }
      awaitSilence();
    });
  }
  child.stdin?.on('error', () => child.stdin?.destroy());
  child.stdin?.end(options.stdin);
  child.once('exit', () => {
    isOver = true;
    awaitSilence();
  });
  child.once('close', finish);
}

/** Ends the group at the timeout or on abort, whichever is first, and says when it does. */
function endOnReason(group: number, options: ProgramOptions, ending: () => void) {
  let reason: 'timeout' | 'abort' | undefined;
  let timer: NodeJS.Timeout | undefined;
  const end = (why: 'timeout' | 'abort'): void => {
    if (reason !== undefined) return;
    reason = why;
    clearTimeout(timer);
    signalGroup(group, 'SIGTERM');
    timer = setTimeout(signalGroup, grace, group, 'SIGKILL');
    ending();
  };
  const abort = (): void => end('abort');
  options.signal?.addEventListener('abort', abort, { once: true });
  if (options.timeout !== undefined) timer = setTimeout(end, options.timeout * 1000, 'timeout');
  return {
    reason: () => reason,
    stop(): void {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', abort);
      if (reason !== undefined) signalGroup(group, 'SIGKILL');
    },
  };
}

/** Signals a program and all it started, as far as they stayed together. */
export function signalGroup(group: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(-group, signal);
  } catch {
    // The group is gone already: what was to be ended has ended.
  }
}

function say({ onOutput }: ProgramOptions, stream: 'stdout' | 'stderr', text: string) {
  return text === '' ? undefined : onOutput?.(stream, text);
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'it is not an executable file',
  ENOENT: 'no such program',
};

function notStarted(argv: readonly string[], cwd: string | undefined, error: unknown): ProblemError {
  const program = argv[0] ?? '';
  const errno = errnoOf(error);
  if (errno === 'ENOENT' && cwd !== undefined && !isDirectory(cwd)) {
    const message = `cannot start ${program}: its working directory ${cwd} does not exist`;
    return refusal('command.no-directory', message);
  }
  const why = reasons[errno] ?? (errno || 'its arguments are not valid');
  return refusal('command.not-found', `cannot start ${program}: ${why}`);
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
