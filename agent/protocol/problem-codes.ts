/**
 * The agent's and the protocol's problem codes with their dispositions.
 * Invariant: the reconciler adds the hint (reconciler/base/problem-codes/agent.ts), so that no word of advice travels to a host.
 * Never reuse a code for a second meaning.
 */

import type { Disposition, Problem, ProblemDetails } from './problem.ts';

export const agentDispositions = {
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
  'resource.failed': 'stalled',
  'resource.not-converged': 'stalled',
  'resource.surprise': 'defect',
  'resource.timeout': 'stalled',
  'resource.condition-failed': 'stalled',
  'resource.stopped': 'stalled',
  'resource.assertion': 'stalled',
  'file.unreadable': 'stalled',
  'file.wrong-type': 'stalled',
  'file.parent-missing': 'stalled',
  'file.not-permitted': 'stalled',
  'file.disk-full': 'stalled',
  'file.read-only': 'stalled',
  'file.invalid': 'stalled',
  'file.too-large': 'stalled',
  'file.unknown-owner': 'stalled',
  'template.failed': 'stalled',
  'command.failed': 'stalled',
  'command.not-found': 'stalled',
  'package.failed': 'stalled',
  'package.unknown': 'stalled',
  'package.locked': 'retry',
  'package.unsupported': 'stalled',
  'service.unsupported': 'stalled',
  'service.unknown': 'stalled',
  'service.failed': 'stalled',
  'account.failed': 'stalled',
  'account.conflict': 'stalled',
} as const satisfies Record<string, Disposition>;

export type AgentProblemCode = keyof typeof agentDispositions;

/** Makes a problem with one of the agent's codes; its hint is still empty. */
export function agentProblem(code: AgentProblemCode, message: string, details: ProblemDetails = {}): Problem {
  return { code, disposition: agentDispositions[code], message, hint: '', ...details };
}
