/**
 * What the kernel says, as a Problem: errno → code, with the act and the path in the message.
 * Invariant: every failure that leaves agent/system is a ProblemError; no two causes that need different acts share a code.
 * Never recognises an error by its text.
 */

import { ProblemError } from '../protocol/problem.ts';
import { type AgentProblemCode, refusal } from '../protocol/problem-codes.ts';

/** Whether a failing act looked or changed: a refusal means something else to each. */
export type Intent = 'read' | 'write';

const shared: Readonly<Record<string, AgentProblemCode>> = {
  ENOTDIR: 'file.wrong-type',
  EISDIR: 'file.wrong-type',
  ELOOP: 'file.wrong-type',
  EFBIG: 'file.too-large',
};

const onWrite: Readonly<Record<string, AgentProblemCode>> = {
  ENOSPC: 'file.disk-full',
  EDQUOT: 'file.disk-full',
  EROFS: 'file.read-only',
  EACCES: 'file.not-permitted',
  EPERM: 'file.not-permitted',
  ENOENT: 'file.parent-missing',
  EEXIST: 'file.wrong-type',
};

/** The errno name of an error, or an empty string. */
export function errnoOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

/** The ProblemError for a failed act on a path; a ProblemError stays what it is. */
export function systemError(error: unknown, intent: Intent, act: string): ProblemError {
  if (error instanceof ProblemError) return error;
  const errno = errnoOf(error);
  // Node's own words, without the name of the error before and the call after them.
  const said = String((error as Error)?.message ?? error);
  const why = errno === 'ELOOP' ? 'a symbolic link is in the way' : said.replace(/^E\w+: (.*?), .*/s, '$1');
  const fallback = intent === 'read' ? 'file.unreadable' : 'resource.failed';
  const code = (intent === 'write' ? onWrite[errno] : undefined) ?? shared[errno] ?? fallback;
  return refusal(code, `cannot ${act}: ${why}`);
}

/** Runs an act and turns whatever it throws into a ProblemError. `act` reads after "cannot". */
export async function guarded<T>(intent: Intent, act: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw systemError(error, intent, act);
  }
}

/** Undefined when nothing is at the path. */
export async function orUndefined<T>(
  act: Promise<T>,
  missing = ['ENOENT', 'ENOTDIR'],
): Promise<T | undefined> {
  try {
    return await act;
  } catch (error) {
    if (missing.includes(errnoOf(error))) return undefined;
    throw error;
  }
}
