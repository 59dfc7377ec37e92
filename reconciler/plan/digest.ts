/**
 * The identity of "what a host should be for this role".
 * Invariant: equal for hosts whose plans differ in the host's name only.
 * Pure.
 */

import { hash } from 'node:crypto';
import { canonicalJson } from '../../agent/protocol/json.ts';
import type { RolePlan } from '../../agent/protocol/plan.ts';

/** SHA-256, in hex, of the plan's canonical text without its host. */
export function planDigest(plan: Omit<RolePlan, 'host'>): string {
  const { environment, role, resources, handlers } = plan;
  return hash('sha256', canonicalJson({ environment, role, resources, handlers }));
}
