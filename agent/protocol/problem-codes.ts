/**
 * The agent's and the protocol's problem codes with their dispositions.
 * Invariant: the reconciler adds the hint (reconciler/base/problem-codes/agent.ts), so that no word of advice travels to a host.
 * Never reuse a code for a second meaning.
 */

import { type Disposition, type Problem, type ProblemDetails, ProblemError } from './problem.ts';

/** Codes that need no person; by far the smaller part of what travels. */
const passing = {
  defect: [
    'protocol.frame-too-large',
    'protocol.bad-frame',
    'protocol.bad-message',
    'protocol.version-mismatch',
    'protocol.illegal-state',
    'agent.internal',
    'blob.refused',
    'blob.missing',
    'resource.surprise',
  ],
  retry: [
    'agent.plan-not-held',
    'agent.cancelled',
    'agent.link-lost',
    'agent.no-facts',
    'blob.corrupt',
    'package.locked',
  ],
  wait: ['agent.busy', 'agent.too-many-programs'],
} as const satisfies Partial<Record<Disposition, readonly string[]>>;

/** What stays so until a person acts: a type only, to keep it off the hosts. */
type StalledCode =
  | 'resource.failed'
  | 'resource.not-converged'
  | 'resource.timeout'
  | 'resource.condition-failed'
  | 'resource.stopped'
  | 'resource.assertion'
  | 'file.unreadable'
  | 'file.missing'
  | 'file.mount-point'
  | 'file.wrong-type'
  | 'file.parent-missing'
  | 'file.not-permitted'
  | 'file.disk-full'
  | 'file.read-only'
  | 'file.invalid'
  | 'file.too-large'
  | 'file.unknown-owner'
  | 'template.failed'
  | 'command.failed'
  | 'command.not-found'
  | 'command.no-directory'
  | 'package.failed'
  | 'package.conflict'
  | 'package.unknown'
  | 'package.unsupported'
  | 'service.unsupported'
  | 'service.unknown'
  | 'service.failed'
  | 'account.failed'
  | 'account.no-group'
  | 'account.bad-key'
  | 'account.unsafe-keys'
  | 'account.no-shadow'
  | 'account.bad-hash'
  | 'account.no-password'
  | 'account.conflict';

export type AgentProblemCode = (typeof passing)[keyof typeof passing][number] | StalledCode;

/** What is to be done about problems of a code, and by whom. */
export function dispositionOf(code: AgentProblemCode): Disposition {
  const dispositions = Object.keys(passing) as (keyof typeof passing)[];
  return dispositions.find((each) => (passing[each] as readonly string[]).includes(code)) ?? 'stalled';
}

/** Makes a problem with one of the agent's codes; its hint is still empty. */
export function agentProblem(code: AgentProblemCode, message: string, details: ProblemDetails = {}): Problem {
  return { code, disposition: dispositionOf(code), message, hint: '', ...details };
}

/** The Problem of whatever was thrown; what is no ProblemError is a defect of ours. */
export function thrownProblem(error: unknown): Problem {
  return error instanceof ProblemError
    ? error.problem
    : agentProblem(
        'agent.internal',
        String((error as Error)?.stack ?? error)
          .split('\n', 2)
          .join(''),
      );
}

/** The same as an error, to be thrown. */
export function refusal(code: AgentProblemCode, message: string, details?: ProblemDetails): ProblemError {
  return new ProblemError(agentProblem(code, message, details));
}
