/**
 * What was thrown as a Problem: its own where it carries one, else a defect with its stack.
 * Invariant: nothing thrown is lost, and nothing thrown gets past the loop.
 * Pure.
 */

import { type Problem, ProblemError } from '../../agent/protocol/problem.ts';
import { planProblem } from './problem-codes/plan.ts';

/** The problem that something thrown while `doing` stands for. */
export function thrownProblem(error: unknown, doing: string): Problem {
  if (error instanceof ProblemError) return error.problem;
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return planProblem('rollout.internal', `${doing}: ${text}`);
}
