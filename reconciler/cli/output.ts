/**
 * How a command says things: lines for people, documents for programs, problems on standard error.
 * Invariant: with --json standard output carries JSON only; problems look the same from every command.
 * Never colours what is not a terminal unless asked to.
 */

import type { Problem } from '../../agent/protocol/problem.ts';
import { escapeJson } from '../report/escape.ts';
import { paintLines } from '../report/line.ts';
import { problemLines } from '../report/problem-text.ts';
import { chooseStyle, type Style } from '../report/style.ts';
import type { Options, Surroundings } from './command.ts';

/** Widest line for a stream that does not say how wide it is; a terminal that nobody gave a size says 0. */
const unknownWidth = 100;
const columnsOf = (stream: { readonly columns?: number }): number => stream.columns || unknownWidth;

export interface Output {
  readonly style: Style;
  readonly width: number;
  /** Lines of text to standard output. */
  lines(lines: readonly string[]): void;
  /** A document: as JSON with --json, else as the view's lines. */
  document(data: unknown, view: (style: Style, width: number) => readonly string[]): void;
  /** A remark for people, to standard error; quiet with --json. */
  remark(text: string): void;
  /** What a person must not miss, to standard error, with --json too. */
  warning(text: string): void;
  problems(problems: readonly Problem[]): void;
}

/** One line of JSON; what could steer a terminal is escaped. */
export function jsonLine(data: unknown): string {
  return `${escapeJson(JSON.stringify(data))}\n`;
}

/** The output of one invocation. */
export function createOutput(surroundings: Surroundings, options: Pick<Options, 'json' | 'color'>): Output {
  const { stdout, stderr, environment } = surroundings;
  const style = chooseStyle({ environment, terminal: stdout.isTTY === true, colour: options.color });
  const errorStyle = chooseStyle({ environment, terminal: stderr.isTTY === true, colour: options.color });
  const width = columnsOf(stdout);
  return {
    style,
    width,
    lines: (lines) => void stdout.write(lines.map((line) => `${line}\n`).join('')),
    document(data, view) {
      if (options.json) stdout.write(jsonLine(data));
      else
        stdout.write(
          view(style, width)
            .map((line) => `${line}\n`)
            .join(''),
        );
    },
    remark(text) {
      if (!options.json) stderr.write(`${errorStyle.paint('dim', text)}\n`);
    },
    warning(text) {
      stderr.write(`${errorStyle.paint('warn', `! ${errorStyle.clean(text)}`)}\n`);
    },
    problems(problems) {
      if (options.json) for (const problem of problems) stdout.write(jsonLine({ type: 'problem', problem }));
      else {
        const columns = columnsOf(stderr);
        for (const problem of problems) {
          const lines = paintLines(
            problemLines(problem, { style: errorStyle, width: columns }),
            errorStyle,
            columns,
          );
          stderr.write(`${lines.join('\n')}\n`);
        }
      }
    },
  };
}
