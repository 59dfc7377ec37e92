/**
 * `stop`: ends the role here, on purpose.
 * Invariant: always a problem, in a dry run too; whether it is reached is its `when` condition's affair.
 * Never changes the host.
 */

import { refusal } from '../protocol/problem-codes.ts';
import type { Resource } from './resource.ts';

/** Ends the role with the author's message. */
export const stopResource: Resource<'stop'> = {
  async check(_system, wanted) {
    throw refusal('resource.stopped', wanted.message);
  },

  async apply() {
    return undefined;
  },
};
