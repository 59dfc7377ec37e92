/**
 * The engine's end of the worker: one request after the other, with limits on time and memory.
 * Invariant: every request is answered, by replies or by a problem; a worker that passed a limit is replaced.
 * Never lets one role's failure reach another role.
 */

import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { RawPosition } from './authoring/draft.ts';
import type { RawProblem, Reply, Request } from './evaluation/messages.ts';
import { whereIs } from './pause-worker.ts';

export interface WorkerLimits {
  /** Milliseconds without an answer after which a role counts as endless. */
  readonly quietMilliseconds: number;
  readonly memoryMebibytes: number;
}

export const defaultLimits: WorkerLimits = { quietMilliseconds: 5000, memoryMebibytes: 256 };

/** Starting the thread is our own work and does not count against a role. */
const startMilliseconds = 60_000;

/** Undefined: all replies came. */
export type Stopped = RawProblem | undefined;

/** The worker's file: beside this one in the source, beside the bundle in a release. */
function workerLocation(): URL {
  return import.meta.url.endsWith('.ts')
    ? new URL('./worker.ts', import.meta.url)
    : new URL('./policy-worker.js', import.meta.url);
}

/** A thread does not take over the process's cache of compiled modules by itself; nothing else of the environment is for it. */
function compileCache(): Record<string, string> {
  const folder = getCompileCacheDir();
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: dirname(folder) };
}

/** Runs role code somewhere. */
export interface RoleRunner {
  /** Sends a request; `onReply` gets what comes back. Undefined when all replies came. */
  request(request: Request, onReply: (reply: Reply) => void): Promise<Stopped>;
  close(): Promise<void>;
}

export class WorkerClient implements RoleRunner {
  readonly #limits: WorkerLimits;
  #worker: Worker | undefined;
  #ready = false;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(limits: WorkerLimits) {
    this.#limits = limits;
    this.#start();
  }

  /** The thread; it starts ahead of the first request, and anew after one was lost. */
  #start(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = new Worker(workerLocation(), {
      resourceLimits: { maxOldGenerationSizeMb: this.#limits.memoryMebibytes },
      env: compileCache(),
      argv: [],
    });
    worker.unref();
    this.#ready = false;
    worker.on('message', (said: { readonly type: string }) => {
      if (said.type === 'ready') this.#ready = true;
    });
    worker.on('error', () => this.#forget(worker));
    worker.on('exit', () => this.#forget(worker));
    this.#worker = worker;
    return worker;
  }

  request(request: Request, onReply: (reply: Reply) => void): Promise<Stopped> {
    const answered = this.#tail.then(() => this.#exchange(request, onReply));
    this.#tail = answered.catch(() => undefined);
    return answered;
  }

  async close(): Promise<void> {
    await this.#tail;
    await this.#worker?.terminate();
  }

  #exchange(request: Request, onReply: (reply: Reply) => void): Promise<Stopped> {
    const worker = this.#start();
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout;
      const finish = (stopped: Stopped): void => {
        clearTimeout(timer);
        worker.off('message', hear).off('error', failed).off('exit', exited);
        worker.unref();
        resolve(stopped);
      };
      const watch = (): void => {
        clearTimeout(timer);
        // Replies that wait behind this very timer still count: look once more after the event loop has turned.
        timer = setTimeout(
          () => {
            timer = setTimeout(() => void this.#endless(worker, request).then(finish), 10);
          },
          this.#ready ? this.#limits.quietMilliseconds : startMilliseconds,
        );
      };
      const hear = (reply: Reply | { readonly type: 'ready' | 'done' }): void => {
        if (reply.type === 'done') return finish(undefined);
        watch();
        if (reply.type === 'defined' || reply.type === 'evaluated') onReply(reply);
      };
      const failed = (error: Error & { readonly code?: string }): void => finish(lost(request, error));
      const exited = (): void => finish(lost(request, new Error('the thread ended')));
      worker.ref();
      worker.on('message', hear).on('error', failed).on('exit', exited);
      watch();
      worker.postMessage(request);
    });
  }

  async #endless(worker: Worker, request: Request): Promise<RawProblem> {
    worker.removeAllListeners('exit');
    const position: RawPosition | undefined = await whereIs(worker.threadId);
    this.#forget(worker);
    await worker.terminate();
    const seconds = this.#limits.quietMilliseconds / 1000;
    const message = `role ${request.role.name} did not come to an end within ${seconds} s`;
    return { code: 'policy.timeout', message, position };
  }

  #forget(worker: Worker): void {
    if (this.#worker === worker) this.#worker = undefined;
  }
}

function lost(request: Request, error: Error & { readonly code?: string }): RawProblem {
  const { name } = request.role;
  if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return { code: 'policy.out-of-memory', message: `role ${name} used more memory than evaluation may` };
  }
  return { code: 'policy.worker-lost', message: `while evaluating role ${name}: ${error.message}` };
}
