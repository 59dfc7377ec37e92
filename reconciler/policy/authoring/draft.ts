/**
 * What a helper makes when role code calls it: kind, name and parameters as written, and where the call stands.
 * Invariant: making one costs a stack capture of a few frames and nothing else; checking and compiling come later.
 * Never part of the declarations for editors.
 */

import type { Kind } from '../../../agent/protocol/kind.ts';
import { resourceId } from '../../../agent/protocol/kind.ts';
import type { Resource } from './resource.ts';

/** Where role code stands in its bundle: script name as given to the sandbox, line and column from 1. */
export interface RawPosition {
  readonly line: number;
  readonly column: number;
}

/** Script names of role code begin with this; nothing else in a worker does. */
export const roleScriptPrefix = 'towline-role/';

const frame = /towline-role\/[^\s()]*?:(\d+):(\d+)/;
/** Frames to keep: the helper's caller is on top, or right below a built-in such as Array.map. */
const framesKept = 2;

type Callable = (...parameters: never[]) => unknown;

interface Trace {
  readonly stack?: string;
}

function traceOf(helper: Callable): Trace {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = framesKept;
  const trace = {};
  Error.captureStackTrace(trace, helper);
  Error.stackTraceLimit = limit;
  return trace;
}

/** The first position of role code in a stack text. */
export function positionIn(stack: string | undefined): RawPosition | undefined {
  const found = frame.exec(stack ?? '');
  return found === null ? undefined : { line: Number(found[1]), column: Number(found[2]) };
}

/** A resource as role code wrote it. */
export class Draft implements Resource {
  readonly kind: Kind;
  readonly name: string;
  readonly id: string;
  readonly parameters: object;
  readonly #trace: Trace;

  constructor(helper: Callable, kind: Kind, name: string, parameters: object) {
    this.kind = kind;
    this.name = name;
    this.id = resourceId(kind, name);
    this.parameters = parameters;
    this.#trace = traceOf(helper);
  }

  /** Where the helper was called; the stack text is formatted only when asked for. */
  get position(): RawPosition | undefined {
    return positionIn(this.#trace.stack);
  }
}

/** A role as its file wrote it. */
export class RoleDraft {
  readonly spec: object;
  readonly #trace: Trace;

  constructor(helper: Callable, spec: object) {
    this.spec = spec;
    this.#trace = traceOf(helper);
  }

  get position(): RawPosition | undefined {
    return positionIn(this.#trace.stack);
  }
}
