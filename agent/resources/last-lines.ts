/**
 * The end of a program's output, as the lines a Problem carries.
 * Invariant: at most `count` lines, none empty, each bounded.
 * Pure.
 */

const widest = 500;

/** The last lines of a text that say something, oldest first. */
export function lastLines(text: string, count = 20): readonly string[] {
  return text
    .split(/[\r\n]+/)
    .map((line) => line.trimEnd().slice(0, widest))
    .filter((line) => line !== '')
    .slice(-count);
}
