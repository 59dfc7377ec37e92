/**
 * TOML text as checked, frozen JSON, with the place of every key.
 * Invariant: what is given out is plain JSON (dates are their text) and holds no `__proto__`; places count from 1.
 * Never shows a line of the document in a message: it may hold a password.
 */

import { parse, TomlDate, TomlError } from 'smol-toml';
import type { Json, JsonObject } from '../agent/protocol/json.ts';
import { type Checked, type Place, type Problem, success } from '../agent/protocol/problem.ts';
import { inventoryProblem } from './problem-codes.ts';
import { findNode, indexPositions, type PositionNode, type TomlPath } from './toml-positions.ts';

/** How a key came to be in the text. */
export type Written = 'defined' | 'dotted' | 'header-only';

export interface TomlDocument {
  readonly file: string;
  readonly value: JsonObject;
  /** Place of a key or array item, or of the nearest one above it that the text mentions. */
  place(path: TomlPath): Required<Pick<Place, 'file' | 'line' | 'column'>>;
  /** `dotted`: a step of `a.b = 1`; `header-only`: a step of `[a.b]` that is nowhere defined itself. */
  written(path: TomlPath): Written;
}

/** Parses one file; all values that have no JSON form are reported at once, a syntax error alone. */
export function parseToml(file: string, text: string): Checked<TomlDocument> {
  let raw: unknown;
  try {
    raw = parse(text);
  } catch (error) {
    return { ok: false, problems: [syntaxProblem(file, error)] };
  }
  const lookUp = positionLookUp(file, text);
  const problems: Problem[] = [];
  const value = toJson(raw, undefined, (path, message) => {
    problems.push(inventoryProblem('inventory.bad-toml-value', message, { where: lookUp.place(path) }));
  });
  if (problems.length > 0) return { ok: false, problems };
  return success({ file, value: value as JsonObject, ...lookUp });
}

function positionLookUp(file: string, text: string): Pick<TomlDocument, 'place' | 'written'> {
  const plain = isPlain(text);
  let index: PositionNode | undefined;
  let lineStarts: readonly number[] | undefined;
  const root = () => {
    index ??= indexPositions(text);
    return index;
  };
  return {
    place(path) {
      lineStarts ??= startsOfLines(text);
      let node: PositionNode | undefined;
      for (let length = path.length; node === undefined; length--)
        node = findNode(root(), path.slice(0, length));
      const line = lineOf(lineStarts, node.offset);
      return { file, line, column: node.offset - (lineStarts[line - 1] ?? 0) + 1 };
    },
    written(path) {
      if (plain) return 'defined';
      const node = findNode(root(), path);
      if (node?.dotted) return 'dotted';
      return node?.defined ? 'defined' : 'header-only';
    },
  };
}

/** A key, then a dot: in a header, or where an assignment may begin. A text inside a value may look like one as well. */
const dottedAssignment = /(?:^|[{,])[ \t]*(?:"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[\w-]+)[ \t]*\.[^\n=]*=/m;
/** A header of four keys or more, or one with a quoted key, which may hold anything. */
const deepHeader = /^[ \t]*\[(?:[^\]\n]*["'\\]|(?:[^.\n\]]*\.){3})|^[ \t]*\[+[ \t]*hosts[ \t]*\./m;

/** Whether every host is surely defined by a key of its own, so that nobody has to look where each key stands. */
function isPlain(text: string): boolean {
  return !dottedAssignment.test(text) && !deepHeader.test(text);
}

function syntaxProblem(file: string, error: unknown): Problem {
  if (!(error instanceof TomlError)) throw error;
  const reason = (error.message.split('\n', 1)[0] ?? '').replace('Invalid TOML document: ', '');
  return inventoryProblem('inventory.bad-toml', `not valid TOML: ${reason}`, {
    where: { file, line: error.line, column: error.column },
  });
}

function startsOfLines(text: string): readonly number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

/** The line an offset is on, from 1: binary search for the last start that is not behind it. */
function lineOf(starts: readonly number[], offset: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return low + 1;
}

/** Keys from a value up to the top; a list of them is made only for a problem. */
interface Step {
  readonly key: string | number;
  readonly above: Step | undefined;
}

type Report = (path: TomlPath, message: string) => void;

function pathTo(step: Step | undefined): TomlPath {
  const path: (string | number)[] = [];
  for (let each = step; each !== undefined; each = each.above) path.unshift(each.key);
  return path;
}

function toJson(value: unknown, at: Step | undefined, report: Report): Json {
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) {
      const path = pathTo(at);
      report(path, `${path.join('.')} is ${value}: only finite numbers are possible`);
    }
    return value;
  }
  if (value instanceof TomlDate) return value.toISOString();
  if (Array.isArray(value)) {
    return Object.freeze(value.map((item, key) => toJson(item, { key, above: at }, report)));
  }
  return tableToJson(value as Readonly<Record<string, unknown>>, at, report);
}

function tableToJson(
  table: Readonly<Record<string, unknown>>,
  above: Step | undefined,
  report: Report,
): Json {
  const result: Record<string, Json> = {};
  for (const key of Object.keys(table)) {
    const at = { key, above };
    if (key === '__proto__') report(pathTo(at), 'the key "__proto__" is not allowed');
    else result[key] = toJson(table[key], at, report);
  }
  return Object.freeze(result);
}
