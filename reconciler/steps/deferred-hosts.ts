/**
 * Hosts that a run for everybody does not wait for: the last try could not reach them, and no line is open.
 * Invariant: only for runs that are followed by a retry of these hosts; a run somebody asked for tries every host.
 * Contacts nobody.
 */

import type { Problem } from '../../agent/protocol/problem.ts';
import type { Run } from './run.ts';

/** Hosts left to the retry that follows, and why they could not be reached. */
export function deferredHosts(run: Run): ReadonlyMap<string, Problem> {
  if (run.request.defersUnreachable !== true) return new Map();
  const open = new Set(run.services.pool.sessions().map(({ host }) => host));
  const unreached = [...(run.failed?.values() ?? [])].filter(
    ({ host, problem }) =>
      /^(ssh|line)\./.test(problem.code) && problem.disposition === 'retry' && !open.has(host),
  );
  return new Map(unreached.map(({ host, problem }) => [host, problem]));
}
