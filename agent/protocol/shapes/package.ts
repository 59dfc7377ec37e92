/**
 * Parameters of `package`: one package of the host's package manager.
 * Invariant: `version` is the manager's full version text; latest and version exclude each other (the policy side checks).
 * Pure.
 */

import * as z from 'zod/mini';

export const packageShape = z.object({
  package: z.string().check(z.regex(/^[a-z0-9][a-z0-9+.:_-]*$/i)),
  state: z.enum(['present', 'latest', 'absent']),
  version: z.optional(z.string().check(z.regex(/^[A-Za-z0-9.+:~_-]+$/))),
  /** Refresh the package lists first when they are older than this many seconds. */
  refreshAfter: z.optional(z.number()),
  /** absent: also remove configuration files. */
  purge: z.optional(z.boolean()),
});
export type PackageShape = z.infer<typeof packageShape>;
