/**
 * The engine's end of the worker: one request after the other, with limits on time and memory.
 * Invariant: every request is answered, by replies or by a problem; a worker that passed a limit is replaced.
 * Never lets one role's failure reach another role, nor this process: V8 ends a process whose code takes too much memory.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { getCompileCacheDir } from 'node:module';
import type { Socket } from 'node:net';
import { dirname } from 'node:path';
import type { RawPosition } from './authoring/draft.ts';
import {
  type FromWorker,
  type RawProblem,
  type Reply,
  type Request,
  watchChannel,
} from './evaluation/messages.ts';

export interface WorkerLimits {
  /** Milliseconds without an answer after which a role counts as endless. */
  readonly quietMilliseconds: number;
  readonly memoryMebibytes: number;
}

export const defaultLimits: WorkerLimits = { quietMilliseconds: 5000, memoryMebibytes: 256 };

/** Starting the process is our own work and does not count against a role. */
const startMilliseconds = 60_000;
/** Half of the room for young objects: more of it costs memory and makes no evaluation faster. */
const youngMebibytes = 2;
/** For a worker to say where role code stands. */
const positionMilliseconds = 1000;

/** How V8 ends a process that it cannot give more memory. */
const outOfMemory: readonly unknown[] = ['SIGABRT', 'SIGTRAP', 'SIGILL'];

/** Undefined: all replies came. */
export type Stopped = RawProblem | undefined;

/** The worker's file: beside this one in the source, beside the bundle in a release. */
function workerLocation(): URL {
  return import.meta.url.endsWith('.ts')
    ? new URL('./worker.ts', import.meta.url)
    : new URL('./policy-worker.js', import.meta.url);
}

/** The cache of compiled modules; nothing else of the environment is for role code, not even its language. */
function compileCache(): Record<string, string> {
  const folder = getCompileCacheDir();
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: dirname(folder) };
}

/** Runs role code somewhere. */
export interface RoleRunner {
  /** Gets ready for a request that will come. */
  prepare(): void;
  /** Sends a request; `onReply` gets what comes back. Undefined when all replies came. */
  request(request: Request, onReply: (reply: Reply) => void): Promise<Stopped>;
  close(): Promise<void>;
}

export class WorkerClient implements RoleRunner {
  readonly #limits: WorkerLimits;
  #worker: WorkerProcess | undefined;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(limits: WorkerLimits) {
    this.#limits = limits;
  }

  prepare(): void {
    this.#started();
  }

  request(request: Request, onReply: (reply: Reply) => void): Promise<Stopped> {
    const answered = this.#tail.then(() => this.#started().exchange(request, onReply));
    this.#tail = answered.catch(() => undefined);
    return answered;
  }

  async close(): Promise<void> {
    await this.#tail;
    await this.#worker?.end();
  }

  /** The process; started anew after one was lost. */
  #started(): WorkerProcess {
    if (this.#worker?.isAlive !== true) this.#worker = new WorkerProcess(this.#limits);
    return this.#worker;
  }
}

const unheard = (): void => {};

/** One process, from its start to its end. It keeps this process from ending only while it is asked something. */
class WorkerProcess {
  isAlive = true;
  readonly #limits: WorkerLimits;
  readonly #child: ChildProcess;
  #isReady = false;
  /** Who waits for replies hears why none will come. */
  #lost: (because: (role: string) => RawProblem) => void = unheard;

  constructor(limits: WorkerLimits) {
    this.#limits = limits;
    const child = fork(workerLocation(), [], {
      cwd: '/',
      env: compileCache(),
      execArgv: [`--max-old-space-size=${limits.memoryMebibytes}`, `--max-semi-space-size=${youngMebibytes}`],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc', 'pipe'],
    });
    this.#child = child;
    this.#seeEnd();
    child.on('message', (said: FromWorker) => {
      if (said.type === 'ready') this.#isReady = true;
    });
    child.unref();
    child.channel?.unref();
  }

  exchange(request: Request, onReply: (reply: Reply) => void): Promise<Stopped> {
    const child = this.#child;
    const { name } = request.role;
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout;
      const finish = (stopped: Stopped): void => {
        clearTimeout(timer);
        child.off('message', hear);
        child.channel?.unref();
        this.#lost = unheard;
        resolve(stopped);
      };
      const wait = (): void => {
        clearTimeout(timer);
        // Replies that wait behind this very timer still count: look once more after the event loop has turned.
        timer = setTimeout(
          () => {
            timer = setTimeout(() => void this.#endless(name).then(finish), 10);
          },
          this.#isReady ? this.#limits.quietMilliseconds : startMilliseconds,
        );
      };
      const hear = (said: FromWorker): void => {
        wait();
        if (said.type === 'ready') return;
        said.replies.forEach(onReply);
        if (said.isLast) finish(undefined);
      };
      this.#lost = (because) => finish(because(name));
      child.channel?.ref();
      child.on('message', hear);
      wait();
      // What cannot be sent has its reason in the end of the process, which comes.
      if (child.connected) child.send(request, () => {});
    });
  }

  /** Ends the process; settles when it is gone. */
  async end(): Promise<void> {
    this.isAlive = false;
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.ref();
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  async #endless(role: string): Promise<RawProblem> {
    this.isAlive = false;
    const position = await this.#position();
    void this.end();
    const seconds = this.#limits.quietMilliseconds / 1000;
    const message = `role ${role} did not come to an end within ${seconds} s`;
    return { code: 'policy.timeout', message, position };
  }

  /** Where role code stands, if the worker can say. */
  async #position(): Promise<RawPosition | undefined> {
    const watch = this.#child.stdio[watchChannel] as Socket;
    try {
      watch.write('?');
      const [said] = await once(watch, 'data', { signal: AbortSignal.timeout(positionMilliseconds) });
      return JSON.parse(String(said)) as RawPosition;
    } catch {
      return undefined;
    }
  }

  #seeEnd(): void {
    const child = this.#child;
    let said = '';
    const end = (because: (role: string) => RawProblem): void => {
      this.isAlive = false;
      this.#lost(because);
    };
    child.once('exit', () => {
      this.isAlive = false;
    });
    child.once('error', ({ message }) => end((role) => lost(role, message)));
    child.once('close', (status, signal) => {
      const how = `the process ended with ${signal ?? `status ${status}`}${reasonIn(said)}`;
      end((role) => (outOfMemory.includes(signal) ? greedy(role) : lost(role, how)));
    });
    // A process that could not be started has no streams.
    const [stderr, watch] = [child.stderr, child.stdio?.[watchChannel]] as (Socket | undefined)[];
    stderr?.unref().on('data', (text: Buffer) => {
      said = (said + text).slice(0, 4000);
    });
    watch?.unref().on('error', () => watch.destroy());
  }
}

/** The line of what Node said last that names the error. */
function reasonIn(said: string): string {
  const line = said.split('\n').find((each) => /^\w*Error\b/.test(each));
  return line === undefined ? '' : `: ${line}`;
}

function greedy(role: string): RawProblem {
  return { code: 'policy.out-of-memory', message: `role ${role} used more memory than evaluation may` };
}

function lost(role: string, how: string): RawProblem {
  return { code: 'policy.worker-lost', message: `while evaluating role ${role}: ${how}` };
}
