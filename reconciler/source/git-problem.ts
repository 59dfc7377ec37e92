/**
 * Turns what git, HTTP and the disk throw into Problems.
 * Invariant: decided by class and code, never by message; text from a remote is cut and freed of control characters.
 * Never swallows a defect: what is not known is thrown again.
 */

import { Errors } from 'isomorphic-git';
import { type Problem, ProblemError, type Result, success } from '../../agent/protocol/problem.ts';
import { type SourceProblemCode, sourceProblem } from '../base/problem-codes/source.ts';

const diskCodes: ReadonlySet<string> = new Set([
  'EACCES',
  'EPERM',
  'ENOSPC',
  'EROFS',
  'EDQUOT',
  'ENOTDIR',
  'EIO',
]);

/** Runs `work` and gives its value, or the Problem of what it threw; `what` begins the message. */
export async function attempt<T>(what: string, work: () => Promise<T>): Promise<Result<T>> {
  try {
    return success(await work());
  } catch (error) {
    return { ok: false, problem: gitProblem(error, what) };
  }
}

/** The Problem of a thrown value; throws it again when it is none of ours. */
export function gitProblem(error: unknown, what: string): Problem {
  if (error instanceof ProblemError) return error.problem;
  if (!(error instanceof Error)) throw error;
  const code = libraryCode(error) ?? diskCode(error) ?? parserCode(error);
  if (code === undefined) throw error;
  return sourceProblem(code, `${what}: ${plainText(reason(error))}`);
}

/** Whether an object or ref was simply not there. */
export function isMissing(error: unknown): boolean {
  return error instanceof Errors.NotFoundError;
}

/** Text of a remote, safe to print. */
export function plainText(text: string): string {
  return text
    .replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
    .trim()
    .slice(0, 300);
}

/** The library's own errors carry `data` and `caller`; those without a meaning of their own say the objects are broken. */
function libraryCode(error: Error): SourceProblemCode | undefined {
  if (error instanceof Errors.HttpError) return statusCode(error.data.statusCode);
  if (error instanceof Errors.NotFoundError) return 'source.no-such-commit';
  if (error instanceof Errors.SmartHttpError || error instanceof Errors.ParseError)
    return 'source.fetch-failed';
  if (error instanceof Errors.EmptyServerResponseError) return 'source.fetch-failed';
  if (error instanceof Errors.UnsafeFilepathError) return 'source.unsafe-name';
  return 'caller' in error && 'data' in error ? 'source.damaged' : undefined;
}

function statusCode(status: number): SourceProblemCode {
  if (status === 401 || status === 403) return 'source.access-refused';
  if (status === 404 || status === 410) return 'source.no-such-repository';
  return 'source.fetch-failed';
}

function diskCode(error: Error): SourceProblemCode | undefined {
  const code = 'code' in error ? error.code : undefined;
  return typeof code === 'string' && diskCodes.has(code) ? 'source.mirror-failed' : undefined;
}

/** What the library's parsers and zlib throw at broken objects: plain errors and reads beyond a buffer. */
function parserCode(error: Error): SourceProblemCode | undefined {
  return error.constructor === Error || error instanceof RangeError ? 'source.damaged' : undefined;
}

function reason(error: Error): string {
  if (error instanceof Errors.HttpError) return `the remote answered ${error.data.statusCode}`;
  return error.message;
}
