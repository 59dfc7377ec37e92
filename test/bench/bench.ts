/**
 * What a bench is: a name, and work that gives figures; what a figure is judged by.
 * Invariant: a budget is a count, or a share of what a peer needed for the same work in the same run; without that peer nothing is judged.
 * Never prints; main does.
 */

import type { Peers } from './peers/peers.ts';

/** What figures stand beside. */
export type Rival =
  | 'Mitogen'
  | 'Ansible, pipelining'
  | 'Ansible'
  | 'OpenSSH'
  | 'scp'
  | 'local'
  | 'reference work';

export type Unit = 'ms' | 'B' | 'MiB' | 'count' | '1/s';

/** At most, at least, or at most a share of what a rival needed; `plus` is added to the share. */
export type Budget =
  | { readonly most: number }
  | { readonly least: number }
  | { readonly of: Rival; readonly share: number; readonly plus?: number };

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: Unit;
  readonly budget?: Budget | undefined;
  /** What others needed for the same work, in the same unit. */
  readonly beside?: Readonly<Partial<Record<Rival, number>>> | undefined;
  /** Where this figure belongs in a picture of growth. */
  readonly growth?: { readonly line: string; readonly of: string; readonly at: number } | undefined;
}

export interface BenchContext {
  readonly peers: Peers;
}

export interface Bench {
  readonly name: string;
  /** One line for people. */
  readonly summary: string;
  /** Longer than this is a failure. */
  readonly minutes: number;
  /** What is measured, one after the other; figures of a part are there when it ends, whatever becomes of the next. */
  readonly parts: readonly Part[];
}

export type Part = (context: BenchContext) => Promise<readonly Figure[]>;

/** The number a figure is judged by; undefined without a budget, or where its rival did not run. */
export function limitOf({ budget, beside }: Figure): number | undefined {
  if (budget === undefined) return undefined;
  if ('most' in budget) return budget.most;
  if ('least' in budget) return budget.least;
  const rival = beside?.[budget.of];
  return rival === undefined ? undefined : rival * budget.share + (budget.plus ?? 0);
}

/** Whether a figure is within its budget; undefined where it is not judged. */
export function isMet(figure: Figure): boolean | undefined {
  const limit = limitOf(figure);
  if (limit === undefined) return undefined;
  return figure.budget !== undefined && 'least' in figure.budget
    ? figure.value >= limit
    : figure.value <= limit;
}

/** The value below which this share of the samples lies. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const index = Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1));
  return sorted[index] ?? Number.NaN;
}

/** The middle of the samples. */
export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5);
}

/** Milliseconds that work takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** Runs the work so many times; each time's answer. */
export async function repeat<T>(count: number, work: (round: number) => Promise<T>): Promise<T[]> {
  const answers: T[] = [];
  for (let round = 0; round < count; round += 1) answers.push(await work(round));
  return answers;
}
