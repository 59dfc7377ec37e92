/**
 * How a program ended and the last it said, as a Problem tells it.
 * Invariant: at most `count` lines, none empty, each bounded.
 * Pure.
 */

import type { RunResult } from './system.ts';

const widest = 500;

/** The end of a program as the rest of a sentence about it. */
export function howEnded({ status, signal }: Pick<RunResult, 'status' | 'signal'>): string {
  return status === null ? `was ended by ${signal ?? 'a signal'}` : `ended with status ${status}`;
}

/** The last lines of a text that say something, oldest first. */
export function lastLines(text: string, count = 20): readonly string[] {
  return text
    .split(/[\r\n]+/)
    .map((line) => line.trimEnd().slice(0, widest))
    .filter((line) => line !== '')
    .slice(-count);
}
