/**
 * Parameters of `service`: one systemd unit.
 * Invariant: `restarted` and `reloaded` always act, so they belong into handlers.
 * Pure.
 */

import * as z from '../schema.ts';

export const serviceShape = z.object({
  unit: z.matching(/^[A-Za-z0-9:_.@\\-]+$/),
  state: z.optional(z.oneOf(['running', 'stopped', 'restarted', 'reloaded'])),
  enabled: z.optionalBoolean,
  masked: z.optionalBoolean,
  /** Run `systemctl daemon-reload` before acting when a unit file is newer than what systemd has loaded. */
  daemonReload: z.optionalBoolean,
});
export type ServiceShape = z.Infer<typeof serviceShape>;
