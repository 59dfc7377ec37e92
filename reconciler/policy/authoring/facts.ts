/**
 * The facts of a host as role code reads them.
 * Invariant: the same data as the agent's facts schema; a test holds the two types equal.
 * Public: this file is part of the declarations editors show, so it imports nothing.
 */

/** Plain data. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** What was observed about a host. A fact that could not be read makes the evaluation fail where it is read. */
export interface Facts {
  readonly os: {
    /** debian, redhat, alpine, arch, suse … */
    readonly family: string;
    /** The ID of os-release: debian, ubuntu … */
    readonly distribution: string;
    readonly version: string;
    readonly codename: string;
    readonly kernel: string;
    /** x64, arm64 … */
    readonly architecture: string;
  };
  readonly hardware: {
    readonly processors: number;
    readonly memoryBytes: number;
    readonly swapBytes: number;
  };
  readonly network: {
    readonly hostname: string;
    readonly domain: string;
    /** Where the default route leaves; null without one. */
    readonly primary: { readonly interface: string; readonly address: string } | null;
    readonly interfaces: {
      readonly [name: string]: {
        readonly mac: string;
        readonly addresses: readonly {
          readonly address: string;
          readonly prefix: number;
          readonly family: 'ipv4' | 'ipv6';
        }[];
      };
    };
  };
  readonly packageManager: 'apt' | 'dnf' | 'yum' | 'apk' | 'pacman' | 'zypper' | 'none';
  readonly initSystem: 'systemd' | 'openrc' | 'sysvinit' | 'none';
  readonly virtualization: string;
  readonly mounts: readonly {
    readonly path: string;
    readonly device: string;
    readonly type: string;
    readonly readOnly: boolean;
  }[];
  /** The account the agent runs as. */
  readonly account: {
    readonly user: string;
    readonly uid: number;
    readonly gid: number;
    readonly home: string;
  };
  /** Seconds since boot; a role that reads it is evaluated anew all the time. */
  readonly uptime: number;
  /** /etc/machine-id, empty where there is none. */
  readonly machineId: string;
  /** What the JSON files in /etc/towline/facts.d declare: file stem → content. */
  readonly custom: { readonly [name: string]: Json };
}
