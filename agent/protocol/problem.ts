/**
 * A coded failure: what a program can decide on and a person can act on.
 * Invariant: every code is declared once in a registry, with a disposition and a hint; messages say what and where.
 * Never recognise a failure by its message.
 */

/** retry: may pass by itself · wait: something else must finish first · stalled: a person must act · defect: our bug. */
export const dispositions = ['retry', 'wait', 'stalled', 'defect'] as const;
export type Disposition = (typeof dispositions)[number];

/** Where a problem sits; line and column count from 1. */
export interface Place {
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  readonly environment?: string;
  readonly host?: string;
  readonly role?: string;
  readonly resource?: string;
}

export interface Problem {
  readonly code: string;
  readonly disposition: Disposition;
  readonly message: string;
  readonly hint: string;
  readonly where?: Place;
  readonly cause?: Problem;
  /** Last lines a peer or program said before it ended, oldest first. */
  readonly lines?: readonly string[];
}

/** A registry entry: what holds for every problem of one code. */
export interface ProblemKind {
  readonly disposition: Disposition;
  readonly hint: string;
}

/** What one occurrence may add; `hint` replaces the registry's where this place knows better. */
export interface ProblemDetails {
  readonly where?: Place;
  readonly cause?: Problem;
  readonly hint?: string;
  readonly lines?: readonly string[];
}

export type ProblemMaker<Code extends string> = (
  code: Code,
  message: string,
  details?: ProblemDetails,
) => Problem;

/** Makes the constructor for one area's codes; the compiler refuses a code that is not in the registry. */
export function defineProblems<Code extends string>(
  registry: Readonly<Record<Code, ProblemKind>>,
): ProblemMaker<Code> {
  return (code, message, details = {}) => ({ code, ...registry[code], message, ...details });
}

/** Carries a Problem across code that can only throw. Caught where the boundary ends and turned back into a value. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.message);
    this.problem = problem;
  }
}

/** An expected outcome that may be a failure. */
export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: Problem };

/** An outcome that reports every problem found, not only the first. */
export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export function success<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

export function failure(problem: Problem): { readonly ok: false; readonly problem: Problem } {
  return { ok: false, problem };
}

/** Adds what the caller knows about the place; what is already there stays. */
export function placed(problem: Problem, where: Place): Problem {
  return { ...problem, where: { ...where, ...problem.where } };
}
