/**
 * Decides how a plan travels to an agent, held, delta or whole, and which contents go with it.
 * Invariant: a delta is sent only against a plan the agent said, or was sent, under the same key; inline bytes are bounded.
 * Pure.
 */

import { inlineLimit } from '../../agent/protocol/blob.ts';
import type { ConvergeMessage, ConvergeResult } from '../../agent/protocol/message.ts';
import { planContents, planDelta, planResources, type RolePlan } from '../../agent/protocol/plan.ts';
import type { ConvergeCall } from './session.ts';

/** What we know that the agent holds under a key; the plan itself only when we have it too. */
export interface HeldPlan {
  readonly digest: string;
  readonly plan?: RolePlan | undefined;
}

export interface Travelling {
  readonly digest: string;
  readonly plan: RolePlan;
  readonly applied?: HeldPlan | undefined;
}

/** Reports beyond one for each resource of the plan that an answer may have. */
const spareReports = 10;

/** Most bytes of contents inside one call; what is over is pulled when its turn comes. */
export const inlineTotalLimit = 4 * 1024 * 1024;

/** The plan's form on the wire. */
export function planOnWire(call: Travelling, held: HeldPlan | undefined): ConvergeMessage['plan'] {
  if (held?.digest === call.digest) return { held: true };
  const base = held?.plan ?? (held?.digest === call.applied?.digest ? call.applied?.plan : undefined);
  if (held === undefined || base === undefined || !sameNames(base, call.plan)) return { whole: call.plan };
  const delta = planDelta(held.digest, base, call.plan);
  return JSON.stringify(delta).length < JSON.stringify(call.plan).length ? { delta } : { whole: call.plan };
}

/** The contents to send along: small ones that the host does not have by what we know. */
export function inlineContents(call: Travelling, form: ConvergeMessage['plan']): readonly string[] {
  if ('held' in form) return [];
  const there = call.applied?.plan === undefined ? new Map() : planContents(call.applied.plan);
  const chosen: string[] = [];
  let total = 0;
  for (const [sha256, size] of planContents(call.plan)) {
    if (size > inlineLimit || there.has(sha256) || total + size > inlineTotalLimit) continue;
    total += size;
    chosen.push(sha256);
  }
  return chosen;
}

/** Whether an answer is one to this call: about its run and plan, with about as many reports as the plan has resources. */
export function isAbout(
  result: ConvergeResult,
  call: Pick<ConvergeCall, 'key' | 'run' | 'digest' | 'mode' | 'plan'>,
): boolean {
  const isSame = result.key === call.key && result.run === call.run && result.digest === call.digest;
  const most = planResources(call.plan).length + spareReports;
  return isSame && result.mode === call.mode && result.reports.length <= most;
}

function sameNames(a: RolePlan, b: RolePlan): boolean {
  return a.environment === b.environment && a.host === b.host && a.role === b.role;
}
