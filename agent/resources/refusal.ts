/**
 * Throws one of the agent's problems in one call.
 * Invariant: what leaves a kind is a ProblemError with a registered code.
 * Pure.
 */

import { type ProblemDetails, ProblemError } from '../protocol/problem.ts';
import { type AgentProblemCode, agentProblem } from '../protocol/problem-codes.ts';

/** The ProblemError of a code, to be thrown. */
export function refusal(code: AgentProblemCode, message: string, details?: ProblemDetails): ProblemError {
  return new ProblemError(agentProblem(code, message, details));
}
