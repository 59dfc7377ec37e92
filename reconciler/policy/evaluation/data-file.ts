/**
 * Data files of a role: parsed by their ending.
 * Invariant: what comes out is plain, frozen data.
 * Pure.
 */

import { parse as parseToml, TomlError } from 'smol-toml';
import type { Json } from '../../../agent/protocol/json.ts';
import { deepFrozen } from '../tracking.ts';
import type { RawProblem } from './messages.ts';

/** Carries a problem through role code. */
export class EvaluationFailure extends Error {
  readonly problem: RawProblem;

  constructor(problem: RawProblem) {
    super(problem.message);
    this.problem = problem;
  }
}

/** The content of a data file. Throws an EvaluationFailure that names the place. */
export function parseData(path: string, text: string): Json {
  try {
    if (path.endsWith('.json')) return deepFrozen(JSON.parse(text) as Json);
    if (path.endsWith('.toml')) return deepFrozen(JSON.parse(JSON.stringify(parseToml(text))) as Json);
    return text;
  } catch (error) {
    const message = (error as Error).message.split('\n')[0] ?? '';
    const place =
      error instanceof TomlError ? { line: error.line, column: error.column } : placeInJson(message, text);
    throw new EvaluationFailure({
      code: 'policy.data-invalid',
      message: `${path}: ${message}`,
      place: { file: path, ...place },
    });
  }
}

function placeInJson(message: string, text: string): { line?: number; column?: number } {
  const offset = /at position (\d+)/.exec(message)?.[1];
  if (offset === undefined) return {};
  const before = text.slice(0, Number(offset)).split('\n');
  return { line: before.length, column: (before.at(-1) ?? '').length + 1 };
}
