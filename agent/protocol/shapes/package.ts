/**
 * Parameters of `package`: one package of the host's package manager.
 * Invariant: `version` is the manager's full version text; latest and version exclude each other (the policy side checks).
 * Pure.
 */

import * as z from '../schema.ts';

export const packageShape = z.object({
  package: z.matching(/^[a-z0-9][a-z0-9+.:_-]*$/i),
  state: z.oneOf(['present', 'latest', 'absent']),
  version: z.optional(z.matching(/^[A-Za-z0-9.+:~_-]+$/)),
  /** Refresh the package lists first when they are older than this many seconds. */
  refreshAfter: z.optionalNumber,
  /** absent: also remove configuration files. */
  purge: z.optionalBoolean,
});
export type PackageShape = z.Infer<typeof packageShape>;
