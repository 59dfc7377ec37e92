/**
 * Pieces that several shapes share.
 * Invariant: only what two or more kinds use.
 * Pure.
 */

import * as z from '../schema.ts';

const upward = z.holds((path: string) => !path.split('/').includes('..'), 'has a `..` in it');

/** Absolute POSIX path without NUL; `..` segments are refused so that a path means what it shows. */
export const pathSchema = z.matching(/^\/[^\0]*$/).check(upward);

/** The same below a directory. */
export const relativePathSchema = z.matching(/^[^/\0][^\0]*$/).check(upward);

/** Permission bits as four octal digits, e.g. "0644". */
export const modeSchema = z.matching(/^[0-7]{4}$/);

/** Who owns a path: names or numeric ids as text. Left out: as it is (a new path belongs to the agent's account). */
export const ownership = {
  owner: z.optionalString,
  group: z.optionalString,
  mode: z.optional(modeSchema),
};

export const presence = z.oneOf(['present', 'absent']);
