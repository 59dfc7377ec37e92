/**
 * What a resource would do or did, as data for people and for the plan-equals-done comparison.
 * Invariant: two changes with equal `changeKey` announce the same act.
 * Never holds a secret: sensitive resources carry the fact of a change only.
 */

import * as z from './schema.ts';

export const changeActions = ['create', 'update', 'remove', 'run'] as const;

/**
 * One difference between wanted and observed. `property` is what differs (content, mode, owner, state …),
 * `from` and `to` its values as text, `diff` a unified diff of text content where there is one.
 */
export const changeSchema = z.object({
  action: z.oneOf(changeActions),
  property: z.string,
  from: z.optionalString,
  to: z.optionalString,
  diff: z.optionalString,
});
export type Change = z.Infer<typeof changeSchema>;

/** A change without a diff. */
export function makeChange(action: Change['action'], property: string, from?: string, to?: string): Change {
  return { action, property, from, to };
}

/** The change of a property that is (yes) or is not (no) to its opposite. */
export function flip(property: string, is: boolean): Change {
  return makeChange('update', property, is ? 'yes' : 'no', is ? 'no' : 'yes');
}

/** Identity of a change for comparing announced and done. */
export function changeKey(change: Change): string {
  return `${change.action} ${change.property}`;
}
