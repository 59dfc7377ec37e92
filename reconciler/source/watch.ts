/**
 * Says that something below some folders may have changed: one watcher for all of them, short batches, nothing more.
 * Invariant: events are hints; what is missed is found by the full look that is asked for every 30 s.
 * Never says anything while `hold` names work in progress, and never fails silently: without inotify it polls and says so.
 */

import { statfsSync } from 'node:fs';
import { join } from 'node:path';
import { type ChokidarOptions, watch as chokidarWatch } from 'chokidar';
import type { Problem } from '../../agent/protocol/problem.ts';
import { hasSilentWriters } from '../base/file-system.ts';
import { sourceProblem } from '../base/problem-codes/source.ts';
import { type Batch, type BatchOptions, createBatch, type WatchNotice } from './watch-batch.ts';

export interface WatchOptions extends BatchOptions {
  /** Whether an absolute path is of no interest, with everything below it. */
  readonly ignored: (path: string) => boolean;
  /** Between two full looks that nothing asked for; 30 s. */
  readonly rescanMilliseconds?: number | undefined;
  /** Between two looks where watching does not work. */
  readonly pollMilliseconds?: number | undefined;
  /** Opens a watcher; chokidar's unless set. */
  readonly open?: ((roots: string[], options: Partial<ChokidarOptions>) => FolderWatcher) | undefined;
}

/** What is used of chokidar's watcher. */
export interface FolderWatcher {
  on(event: 'all', listener: (event: string, path: string) => void): unknown;
  on(
    event: 'raw',
    listener: (event: string, path: string | null, details: { watchedPath?: string }) => void,
  ): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  on(event: 'ready', listener: () => void): unknown;
  close(): Promise<void>;
}

export interface Watch {
  close(): Promise<void>;
}

const readyMilliseconds = 10_000;
const limitCodes: readonly unknown[] = ['ENOSPC', 'EMFILE', 'ENFILE'];

/** Begins to watch; resolves when events are being received (or polling has begun). */
export async function startWatch(
  options: WatchOptions,
  notify: (notice: WatchNotice) => void,
): Promise<Watch> {
  const batch = createBatch(options, notify);
  const timers: NodeJS.Timeout[] = [repeat(options.rescanMilliseconds ?? 30_000, batch.addAll)];
  let polling = false;
  let watcher: FolderWatcher | undefined;
  const poll = (problem: Problem): void => {
    if (polling) return;
    polling = true;
    notify({ type: 'problem', problem });
    timers.push(repeat(options.pollMilliseconds ?? 2000, batch.addAll));
  };
  const obstacle = watchObstacle(options.roots);
  if (obstacle !== undefined) {
    poll(obstacle);
  } else {
    watcher = open(options);
    await receive(watcher, options, { ...batch, poll });
  }
  return {
    close: async () => {
      for (const timer of timers) clearInterval(timer);
      batch.close();
      await watcher?.close();
    },
  };
}

/** Why these folders cannot be watched at all. */
function watchObstacle(roots: readonly string[]): Problem | undefined {
  try {
    const silent = roots.find((root) => hasSilentWriters(statfsSync(root).type));
    if (silent === undefined) return undefined;
    return sourceProblem('source.watch-unsupported', `${silent} is on a network or shared file system`);
  } catch (error) {
    return watchProblem(error, roots);
  }
}

function open(options: WatchOptions): FolderWatcher {
  return (options.open ?? chokidarWatch)([...options.roots], {
    ignored: options.ignored,
    ignoreInitial: true,
    followSymlinks: false,
    atomic: false,
    ignorePermissionErrors: true,
  });
}

interface Receiver extends Pick<Batch, 'add' | 'echo'> {
  readonly poll: (problem: Problem) => void;
}

/**
 * Connects a watcher and waits until it is ready. `raw` events come first and are not throttled; `all` events also
 * cover what chokidar finds out by itself, such as files inside a new folder.
 */
function receive(
  watcher: FolderWatcher,
  options: WatchOptions,
  { add, echo, poll }: Receiver,
): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(resolve, readyMilliseconds);
    const ready = (): void => {
      clearTimeout(late);
      resolve();
    };
    watcher.on('ready', ready);
    watcher.on('all', (_event, path) => echo(path));
    watcher.on('raw', (_event, path, details) => {
      if (path === null || details?.watchedPath === undefined) return;
      const whole = join(details.watchedPath, path);
      if (!options.ignored(whole)) add(whole);
    });
    watcher.on('error', (error) => {
      poll(watchProblem(error, options.roots));
      ready();
    });
  });
}

/** The problem of an error while watching: a limit of the kernel, or something else. Pure. */
export function watchProblem(error: unknown, roots: readonly string[]): Problem {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const where = roots.join(', ');
  if (limitCodes.includes(code)) {
    return sourceProblem(
      'source.watch-limit',
      `the kernel’s limit of watches is reached (${code}) below ${where}`,
    );
  }
  const message = error instanceof Error ? error.message : String(error);
  return sourceProblem('source.watch-failed', `watching ${where}: ${message}`);
}

function repeat(milliseconds: number, work: () => void): NodeJS.Timeout {
  return setInterval(work, milliseconds).unref();
}
