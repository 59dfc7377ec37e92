/**
 * Gathers hints into batches: a short quiet ends one, and none ends while something holds it.
 * Invariant: every hint is in exactly one notice, or in one that asks for a full look.
 * Never gives a list of paths after a hold or a storm: the rest of the storm may still be on its way.
 */

import type { Problem } from '../../agent/protocol/problem.ts';
import { sourceProblem } from '../base/problem-codes/source.ts';

export type WatchNotice =
  /** These paths (absolute) may have changed; `all` asks for a full look. */
  | { readonly type: 'dirty'; readonly paths: ReadonlySet<string> | 'all' }
  | { readonly type: 'problem'; readonly problem: Problem };

export interface BatchOptions {
  /** Folders, absolute. */
  readonly roots: readonly string[];
  /** What is in progress that must end first, for people; undefined when nothing is. */
  readonly hold?: (() => string | undefined) | undefined;
  /** A batch ends after this long without an event (1) or at the latest after `longest` (100). */
  readonly quietMilliseconds?: number | undefined;
  readonly longestMilliseconds?: number | undefined;
  /** Between two looks at a hold; 20. */
  readonly holdMilliseconds?: number | undefined;
}

export interface Batch {
  add(path: string): void;
  /** Told once more, later, of what may be in the batch already: that does not put its end off. */
  echo(path: string): void;
  /** Asks for a full look. */
  addAll(): void;
  close(): void;
}

/** Looks at a hold before people are told of it: about five seconds. */
const patientHolds = 250;
/** More paths than this and a full look is both safer and as fast. */
const manyPaths = 16;

/** A batch that tells `notify` of what was added. */
export function createBatch(options: BatchOptions, notify: (notice: WatchNotice) => void): Batch {
  const { quietMilliseconds = 1, longestMilliseconds = 100, holdMilliseconds = 20, hold } = options;
  let paths = new Set<string>();
  let everything = false;
  let holds = 0;
  let closed = false;
  let quiet: NodeJS.Timeout | undefined;
  let longest: NodeJS.Timeout | undefined;

  const wait = (milliseconds: number): void => {
    clearTimeout(quiet);
    quiet = setTimeout(flush, milliseconds);
  };
  const flush = (): void => {
    clearTimeout(quiet);
    clearTimeout(longest);
    longest = undefined;
    const reason = hold?.();
    if (reason !== undefined) {
      holds += 1;
      everything = true;
      if (holds === patientHolds) tell(reason);
      wait(holdMilliseconds);
      return;
    }
    const batch = everything || paths.size > manyPaths ? 'all' : paths;
    paths = new Set();
    everything = false;
    holds = 0;
    notify({ type: 'dirty', paths: batch });
  };
  const tell = (reason: string): void => {
    const message = `changes below ${options.roots.join(', ')} wait: ${reason}`;
    notify({ type: 'problem', problem: sourceProblem('source.repository-busy', message) });
  };
  const hint = (): void => {
    if (closed || holds > 0) return;
    wait(quietMilliseconds);
    longest ??= setTimeout(flush, longestMilliseconds);
  };
  const add = (path: string): void => {
    paths.add(path);
    hint();
  };
  return {
    add,
    echo: (path) => {
      if (!paths.has(path)) add(path);
    },
    addAll: () => {
      everything = true;
      hint();
    },
    close: () => {
      closed = true;
      clearTimeout(quiet);
      clearTimeout(longest);
    },
  };
}
