/**
 * What the controller's own defaults file says: one immutable object, read once.
 * Invariant: tuning, runtime and log always have a value; ssh and become have one only where the file says so.
 * Pure: the file is found and read by the command line.
 */

import type { Place } from '../agent/protocol/problem.ts';
import type { Secret } from '../agent/protocol/secret.ts';
import type { BecomeMethod, HostKeyPolicy, Transport } from './connection-spec.ts';

/** Where a value of the file stands. */
export type DefaultsPlace = Required<Pick<Place, 'file' | 'line' | 'column'>>;

/** What holds for every host that the inventory says nothing else of. */
export interface SshDefaults {
  readonly username?: string | undefined;
  readonly port?: number | undefined;
  readonly password?: Secret | undefined;
  /** Path of a private key. */
  readonly key?: string | undefined;
  readonly hostKeys?: HostKeyPolicy | undefined;
  /** known_hosts files in order; the first takes keys of accept-new. */
  readonly knownHosts?: readonly string[] | undefined;
  /** Socket of the ssh-agent; `none` for no agent. */
  readonly agent?: string | undefined;
  readonly transport?: Transport | undefined;
  /** Seconds. */
  readonly connectTimeout?: number | undefined;
  /** Seconds between two questions to a quiet server, and how many may go unanswered. */
  readonly keepalive?: { readonly interval: number; readonly count: number } | undefined;
}

/** How to become another account, once somebody asks for one. */
export interface BecomeDefaults {
  readonly method?: BecomeMethod | undefined;
  readonly username?: string | undefined;
  readonly password?: Secret | undefined;
}

export interface TuningDefaults {
  /** Connections and agents that may be starting at once. */
  readonly connections: number;
  /** Of these, how many may go through one bastion. */
  readonly perBastion: number;
  /** Agents on one host at once, one for each account. */
  readonly contextsPerHost: number;
  /** Seconds after which a line that nobody uses is closed; 0: it stays open. */
  readonly idleClose: number;
  /** Seconds between two signs of life of a quiet line. */
  readonly heartbeat: number;
  /** How often one opening of a line is tried where the failure may pass by itself. */
  readonly attempts: number;
  /** Seconds an agent may take to start. */
  readonly startTimeout: number;
}

export interface RuntimeDefaults {
  /** Absolute path of a Node on the hosts. */
  readonly path?: string | undefined;
  /** Whether a host without a Node gets one. */
  readonly ship: boolean;
  /** Whether a shipped Node stays on the host for the next time. */
  readonly cache: boolean;
}

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type DefaultLogLevel = (typeof logLevels)[number];

export interface LogDefaults {
  readonly level: DefaultLogLevel;
  /** A file to append to; the standard error stream when left out. */
  readonly file?: string | undefined;
}

export interface Defaults {
  /** The file read; absent when there is none. */
  readonly file?: string | undefined;
  readonly ssh: SshDefaults;
  readonly become: BecomeDefaults;
  readonly tuning: TuningDefaults;
  readonly runtime: RuntimeDefaults;
  readonly log: LogDefaults;
  /** Where the file has a key such as `ssh.username`; undefined when the value is built in. */
  place(key: string): DefaultsPlace | undefined;
}

/** What holds where there is no file. */
export const builtInDefaults: Defaults = Object.freeze({
  ssh: Object.freeze({}),
  become: Object.freeze({}),
  tuning: Object.freeze({
    connections: 32,
    perBastion: 16,
    contextsPerHost: 20,
    idleClose: 0,
    heartbeat: 5,
    attempts: 3,
    startTimeout: 15,
  }),
  runtime: Object.freeze({ ship: true, cache: true }),
  log: Object.freeze({ level: 'info' }),
  place: () => undefined,
});
