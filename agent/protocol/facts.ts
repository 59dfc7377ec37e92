/**
 * What was observed about a host. Data only: never rendered as a template, never evaluated.
 * Invariant: one member per fact file of the agent; a fact that could not be read is null and a problem beside it says why.
 * Pure.
 */

import * as z from './schema.ts';

const address = /* @__PURE__ */ z.lazy(() =>
  z.object({ address: z.string, prefix: z.number, family: z.oneOf(['ipv4', 'ipv6']) }),
);

export const factsSchema = /* @__PURE__ */ z.lazy(() =>
  z.object({
    os: z.nullable(
      z.object({
        /** debian, redhat, alpine, arch, suse … */
        family: z.string,
        /** os-release ID, e.g. debian, ubuntu. */
        distribution: z.string,
        version: z.string,
        codename: z.string,
        kernel: z.string,
        /** uname machine as Node names it: x64, arm64 … */
        architecture: z.string,
      }),
    ),
    hardware: z.nullable(z.object({ processors: z.number, memoryBytes: z.number, swapBytes: z.number })),
    network: z.nullable(
      z.object({
        hostname: z.string,
        domain: z.string,
        /** Where the default route leaves; null without one. */
        primary: z.nullable(z.object({ interface: z.string, address: z.string })),
        interfaces: z.record(z.object({ mac: z.string, addresses: z.array(address) })),
      }),
    ),
    packageManager: z.nullable(z.oneOf(['apt', 'dnf', 'yum', 'apk', 'pacman', 'zypper', 'none'])),
    initSystem: z.nullable(z.oneOf(['systemd', 'openrc', 'sysvinit', 'none'])),
    virtualization: z.nullable(z.string),
    mounts: z.nullable(
      z.array(z.object({ path: z.string, device: z.string, type: z.string, readOnly: z.boolean })),
    ),
    /** The account the agent runs as. */
    account: z.nullable(z.object({ user: z.string, uid: z.number, gid: z.number, home: z.string })),
    /** Seconds since boot; moves all the time and re-evaluates only roles that read it. */
    uptime: z.nullable(z.number),
    /** /etc/machine-id, empty where there is none. */
    machineId: z.nullable(z.string),
    /** What the JSON files in /etc/towline/facts.d declare: file stem → JSON. */
    custom: z.nullable(z.record(z.json)),
  }),
);
export type Facts = z.Infer<typeof factsSchema>;
export type FactName = keyof Facts;
