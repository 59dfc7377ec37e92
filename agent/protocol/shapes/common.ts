/**
 * Pieces that several shapes share.
 * Invariant: only what two or more kinds use.
 * Pure.
 */

import * as z from '../schema.ts';

/** Absolute POSIX path without NUL; `..` segments are refused so that a path means what it shows. */
export const pathSchema = z.string.check(
  z.matches(/^\/[^\0]*$/),
  z.holds((path: string) => !path.split('/').includes('..'), 'has a `..` in it'),
);

/** Permission bits as four octal digits, e.g. "0644". */
export const modeSchema = z.string.check(z.matches(/^[0-7]{4}$/));

/** Who owns a path: names or numeric ids as text. Left out: as it is (a new path belongs to the agent's account). */
export const ownership = {
  owner: z.optional(z.string),
  group: z.optional(z.string),
  mode: z.optional(modeSchema),
};

export const presence = z.oneOf(['present', 'absent']);
