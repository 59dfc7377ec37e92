/**
 * How to reach one host: the settings in force, resolved from the inventory and what a role asks for.
 * Invariant: a via chain is finite; passwords are Secrets from the first moment.
 * Never opens anything.
 */

import type { Secret } from '../agent/protocol/secret.ts';

/** Kinds that run a program of the machine they are on: the controller, or the host named by towline_via. */
export const containerKinds = [
  'docker',
  'podman',
  'kubectl',
  'lxc',
  'lxd',
  'machinectl',
  'setns',
  'jail',
  'chroot',
] as const;
export type ContainerKind = (typeof containerKinds)[number];

export const connectionKinds = ['ssh', 'local', ...containerKinds] as const;
export type ConnectionKind = (typeof connectionKinds)[number];

/** Who speaks SSH: we ourselves, or the OpenSSH client of the machine the line starts from. */
export const transports = ['ssh', 'openssh'] as const;
export type Transport = (typeof transports)[number];

export const hostKeyPolicies = ['strict', 'accept-new', 'pinned', 'ignore'] as const;
export type HostKeyPolicy = (typeof hostKeyPolicies)[number];

export const becomeMethods = ['sudo', 'su', 'doas'] as const;
export type BecomeMethod = (typeof becomeMethods)[number];

export interface BecomeSpec {
  readonly method: BecomeMethod;
  readonly user: string;
  readonly password?: Secret | undefined;
}

/** What OpenSSH's configuration can say besides; every field may stay unsaid. */
export interface SshSettings {
  /** Paths of private keys on the controller, tried in this order. */
  readonly identityFiles?: readonly string[] | undefined;
  readonly certificateFiles?: readonly string[] | undefined;
  /** Only the keys named here or in towline_ssh_key, of all that an ssh-agent holds. */
  readonly identitiesOnly?: boolean | undefined;
  /** Socket of the ssh-agent; `none` for no agent. */
  readonly identityAgent?: string | undefined;
  readonly knownHostsFiles?: readonly string[] | undefined;
  /** The name known_hosts lists the host under, instead of its address. */
  readonly hostKeyAlias?: string | undefined;
  /** Names are written to known_hosts as hashes. */
  readonly hashKnownHosts?: boolean | undefined;
  /** Seconds. */
  readonly connectTimeout?: number | undefined;
  /** Seconds between two questions, and how many may go unanswered. */
  readonly keepalive?: { readonly interval: number; readonly count: number } | undefined;
}

/** Settings that ~/.ssh/config may fill in where the inventory and the defaults say nothing. */
export const fillableSettings = ['address', 'port', 'user', 'keyFile', 'hostKeys', 'via'] as const;
export type FillableSetting = (typeof fillableSettings)[number];

export interface ConnectionSpec {
  readonly kind: ConnectionKind;
  /** The host's name in the inventory. */
  readonly host: string;
  /**
   * What to reach: a name or address to dial, a container's name, a chroot's path. The inventory name unless
   * towline_host says otherwise.
   */
  readonly address: string;
  readonly port: number;
  /** Account to log in as; the controller's own when left out. */
  readonly user?: string | undefined;
  readonly password?: Secret | undefined;
  /** Path of a private key on the controller. */
  readonly keyFile?: string | undefined;
  readonly hostKeys: HostKeyPolicy;
  /** With `pinned`: the keys in known_hosts form, `type base64`. */
  readonly pinnedKeys: readonly string[];
  readonly become?: BecomeSpec | undefined;
  readonly transport?: Transport | undefined;
  readonly ssh?: SshSettings | undefined;
  /** What nobody declared: a default stands there, and ~/.ssh/config comes before it. Absent: all was declared. */
  readonly unsaid?: ReadonlySet<FillableSetting> | undefined;
  /** The host to go through. */
  readonly via?: ConnectionSpec | undefined;
  /** Lines to hosts behind this one are opened by its agent, which serves them from its cache. */
  readonly relay?: boolean | undefined;
  /** Path of a Node ≥ 18 on the host, instead of the first on PATH. */
  readonly runtime?: string | undefined;
}

/** What a role may ask for; it comes before the inventory. */
export interface ConnectionWish {
  readonly user?: string | undefined;
  /** The account to become; method and password come from the inventory. */
  readonly become?: string | undefined;
}
