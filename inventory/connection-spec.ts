/**
 * How to reach one host: the settings in force, resolved from the inventory and what a role asks for.
 * Invariant: a via chain is finite; passwords are Secrets from the first moment.
 * Never opens anything.
 */

import type { Secret } from '../agent/protocol/secret.ts';

export const connectionKinds = ['ssh', 'local'] as const;
export type ConnectionKind = (typeof connectionKinds)[number];

export const hostKeyPolicies = ['strict', 'accept-new', 'pinned', 'ignore'] as const;
export type HostKeyPolicy = (typeof hostKeyPolicies)[number];

export const becomeMethods = ['sudo', 'su', 'doas'] as const;
export type BecomeMethod = (typeof becomeMethods)[number];

export interface BecomeSpec {
  readonly method: BecomeMethod;
  readonly user: string;
  readonly password?: Secret | undefined;
}

export interface ConnectionSpec {
  readonly kind: ConnectionKind;
  /** The host's name in the inventory. */
  readonly host: string;
  /** Name or address to dial; the inventory name unless towline_host says otherwise. */
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
  /** The bastion to go through. */
  readonly via?: ConnectionSpec | undefined;
  /** Path of a Node ≥ 18 on the host, instead of the first on PATH. */
  readonly runtime?: string | undefined;
}

/** What a role may ask for; it comes before the inventory. */
export interface ConnectionWish {
  readonly user?: string | undefined;
  /** The account to become; method and password come from the inventory. */
  readonly become?: string | undefined;
}
