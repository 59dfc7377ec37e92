/**
 * One run = named steps in order; the list is the table of contents. Recording always happens.
 * Invariant: a run never throws; it returns what succeeded and what stopped it.
 * Never decides anything itself.
 */

import type { RunSummary } from './base/event.ts';
import { planProblem } from './base/problem-codes/plan.ts';
import { thrownProblem } from './base/thrown.ts';
import { checkClaims } from './steps/check-claims.ts';
import { decideWork } from './steps/decide-work.ts';
import { evaluateRoles } from './steps/evaluate-roles.ts';
import { explainWork } from './steps/explain-work.ts';
import { loadPolicy } from './steps/load-policy.ts';
import { recordRun } from './steps/record-run.ts';
import { rollOutWork } from './steps/roll-out-work.ts';
import { end, goOn, type Run, type Step, type StepResult } from './steps/run.ts';
import { takeSnapshot } from './steps/take-snapshot.ts';

export const steps = [
  takeSnapshot,
  loadPolicy,
  checkClaims,
  evaluateRoles,
  decideWork,
  explainWork,
  rollOutWork,
] as const satisfies readonly Step[];

/** Takes the steps and records how it ended. */
export async function reconcile(run: Run): Promise<RunSummary> {
  let last: StepResult = goOn;
  for (const step of steps) {
    last = await takeStep(step, run);
    if (!last.goOn) break;
  }
  return recordRun(run, last);
}

async function takeStep(step: Step, run: Run): Promise<StepResult> {
  if (run.signal.aborted) return end('cancelled', [planProblem('rollout.cancelled', 'the run was stopped')]);
  try {
    return await step.take(run);
  } catch (error) {
    return end('failed', [thrownProblem(error, step.name)]);
  }
}
