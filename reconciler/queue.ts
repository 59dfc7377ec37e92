/**
 * Work waiting per environment: at most one of each sort, the most urgent first, one at a time per environment.
 * Invariant: a newer full run takes the place of a waiting one; a drift run is never queued twice; what was asked is never lost.
 * Never runs anything.
 */

import type { RunMode, Trigger } from './base/event.ts';

/** Most urgent first. */
export const jobSorts = ['full', 'retry', 'drift'] as const;
export type JobSort = (typeof jobSorts)[number];

export interface Job {
  readonly environment: string;
  readonly sort: JobSort;
  readonly trigger: Trigger;
  readonly mode: RunMode;
  /** Retries: only these hosts. */
  readonly onlyHosts?: ReadonlySet<string> | undefined;
}

type Waiting = Partial<Record<JobSort, Job>>;

export class JobQueue {
  readonly #waiting = new Map<string, Waiting>();
  readonly #active = new Map<string, Job>();
  #wake: () => void = () => {};

  /** Adds a job; one of its sort that waits already is merged into it. */
  add(job: Job): void {
    const waiting = this.#waiting.get(job.environment) ?? {};
    waiting[job.sort] = merge(waiting[job.sort], job);
    this.#waiting.set(job.environment, waiting);
    this.#wake();
  }

  /** The job running for an environment. */
  active(environment: string): Job | undefined {
    return this.#active.get(environment);
  }

  /** Whether nothing waits and nothing runs. */
  get idle(): boolean {
    return this.#active.size === 0 && this.#pick() === undefined;
  }

  /** The next job whose environment is free, as soon as there is one; undefined when aborted. */
  async next(signal: AbortSignal): Promise<Job | undefined> {
    while (!signal.aborted) {
      const job = this.#pick();
      if (job !== undefined) return this.#start(job);
      await this.#woken(signal);
    }
    return undefined;
  }

  async #woken(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    this.#wake = wake;
    signal.addEventListener('abort', wake);
    await promise;
    signal.removeEventListener('abort', wake);
  }

  /** The environment's job has ended. */
  done(environment: string): void {
    this.#active.delete(environment);
    this.#wake();
  }

  /** Forgets what waits for an environment that is no more. */
  drop(environment: string): void {
    this.#waiting.delete(environment);
  }

  #pick(): Job | undefined {
    for (const sort of jobSorts) {
      for (const [environment, waiting] of this.#waiting) {
        const job = waiting[sort];
        if (job !== undefined && !this.#active.has(environment)) return job;
      }
    }
    return undefined;
  }

  #start(job: Job): Job {
    delete this.#waiting.get(job.environment)?.[job.sort];
    this.#active.set(job.environment, job);
    return job;
  }
}

/** A job for every host takes in one for some; two for some are one for both. */
function merge(before: Job | undefined, job: Job): Job {
  if (before === undefined || job.onlyHosts === undefined) return job;
  if (before.onlyHosts === undefined) return { ...job, onlyHosts: undefined };
  return { ...job, onlyHosts: new Set([...before.onlyHosts, ...job.onlyHosts]) };
}
