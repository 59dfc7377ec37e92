/**
 * The identity of what lasts of a host's facts.
 * Invariant: facts that differ in anything but the uptime have different fingerprints.
 * Pure.
 */

import { hash } from 'node:crypto';
import type { Facts } from '../../agent/protocol/facts.ts';
import { canonicalJson } from '../../agent/protocol/json.ts';

/** SHA-256, in hex, of the facts without their uptime. */
export function factsFingerprint(facts: Facts): string {
  return hash('sha256', canonicalJson({ ...facts, uptime: null }));
}
