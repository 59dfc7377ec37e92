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

const words: Readonly<Record<string, string>> = {
  ENOSPC: 'no space left on the file system',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is mounted read-only',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  ENOENT: 'no such file or directory',
  ENOTDIR: 'a part of the path is not a directory',
  EISDIR: 'it is a directory',
  EEXIST: 'something else is there already',
  ELOOP: 'it is a symbolic link, or links lead in a circle',
  EBUSY: 'it is in use, for example as a mount point',
  ENOTEMPTY: 'the directory is not empty',
  ENAMETOOLONG: 'the name is too long',
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
  const why = words[errno] ?? (errno || String((error as Error)?.message ?? error));
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
