/**
 * The agent's and the protocol's problem codes with their dispositions.
 * Invariant: the reconciler adds the hint (reconciler/base/problem-codes/agent.ts), so that no word of advice travels to a host.
 * Never reuse a code for a second meaning.
 */

import type { Disposition, Problem, ProblemDetails } from './problem.ts';

/** Codes that need no person; by far the smaller part of what travels. */
const passing = {
  'protocol.frame-too-large': 'defect',
  'protocol.bad-frame': 'defect',
  'protocol.bad-message': 'defect',
  'protocol.version-mismatch': 'defect',
  'protocol.illegal-state': 'defect',
  'agent.busy': 'wait',
  'agent.plan-not-held': 'retry',
  'agent.cancelled': 'retry',
  'agent.link-lost': 'retry',
  'agent.internal': 'defect',
  'agent.no-facts': 'retry',
  'blob.refused': 'defect',
  'blob.corrupt': 'retry',
  'blob.missing': 'defect',
  'resource.surprise': 'defect',
  'package.locked': 'retry',
} as const satisfies Record<string, Disposition>;

/** What stays so until a person acts: a type only, to keep it off the hosts. */
type StalledCode =
  | 'resource.failed'
  | 'resource.not-converged'
  | 'resource.timeout'
  | 'resource.condition-failed'
  | 'resource.stopped'
  | 'resource.assertion'
  | 'file.unreadable'
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
  | 'package.failed'
  | 'package.unknown'
  | 'package.unsupported'
  | 'service.unsupported'
  | 'service.unknown'
  | 'service.failed'
  | 'account.failed'
  | 'account.conflict';

export type AgentProblemCode = keyof typeof passing | StalledCode;

/** What is to be done about problems of a code, and by whom. */
export function dispositionOf(code: AgentProblemCode): Disposition {
  return (passing as Partial<Record<AgentProblemCode, Disposition>>)[code] ?? 'stalled';
}

/** Makes a problem with one of the agent's codes; its hint is still empty. */
export function agentProblem(code: AgentProblemCode, message: string, details: ProblemDetails = {}): Problem {
  return { code, disposition: dispositionOf(code), message, hint: '', ...details };
}
