/**
 * What an init system must be able to do for the kind `service`.
 * Invariant: check and verify only ask; apply does exactly the changes it is given.
 * Never chooses the init system.
 */

import type { Change } from '../../protocol/change.ts';
import type { Registered } from '../../protocol/outcome.ts';
import type { ServiceShape } from '../../protocol/shapes/service.ts';
import type { System, SystemReader } from '../../system/system.ts';
import type { CheckContext, CheckResult } from '../resource.ts';

/** One init system: a file, and a line in the table of service.ts. */
export interface ServiceManager {
  check(system: SystemReader, wanted: ServiceShape, context: CheckContext): Promise<CheckResult>;
  apply(system: System, wanted: ServiceShape, changes: readonly Change[]): Promise<void>;
  verify(system: SystemReader, wanted: ServiceShape, context: CheckContext): Promise<CheckResult>;
  observe(system: SystemReader, wanted: ServiceShape): Promise<Registered>;
}
