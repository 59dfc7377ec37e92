/**
 * What a bench is: a name, and work that gives figures.
 * Invariant: a figure with a budget says whether it is met; a figure without one is only told.
 * Never prints; main does.
 */

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: 'ms' | 's' | 'B' | 'MiB' | 'count';
  /** The value must not be above this. */
  readonly budget?: number | undefined;
}

export interface Bench {
  readonly name: string;
  /** One line for people. */
  readonly summary: string;
  run(): Promise<readonly Figure[]>;
}

/** Whether a figure is within its budget; undefined without one. */
export function isMet(figure: Figure): boolean | undefined {
  return figure.budget === undefined ? undefined : figure.value <= figure.budget;
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
