/**
 * What a package manager must be able to do for the kind `package`.
 * Invariant: check and observe only ask; one applyTogether is one transaction of the manager where it can be.
 * Never chooses the manager.
 */

import type { Change } from '../../protocol/change.ts';
import type { Registered } from '../../protocol/outcome.ts';
import type { PackageShape } from '../../protocol/shapes/package.ts';
import type { System, SystemReader } from '../../system/system.ts';
import type { CheckContext, CheckResult } from '../resource.ts';

/** A package with the changes its check announced. */
export interface PackageItem {
  readonly wanted: PackageShape;
  readonly changes: readonly Change[];
}

/** One family of hosts: a file each, a line each in the table of package.ts. */
export interface PackageManager {
  /** Before check, in apply mode: brings lists up to date that are older than the resource allows. */
  refresh(system: System, wanted: PackageShape): Promise<void>;
  check(system: SystemReader, wanted: PackageShape, context: CheckContext): Promise<CheckResult>;
  applyTogether(system: System, items: readonly PackageItem[]): Promise<void>;
  observe(system: SystemReader, wanted: PackageShape): Promise<Registered>;
}
