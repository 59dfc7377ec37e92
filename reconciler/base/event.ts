/**
 * Everything that happens in a run, as one stream of data that every reporter subscribes to.
 * Invariant: events are JSON; secrets are redacted before an event is made; text from hosts is escaped where it is shown.
 * Never a side channel: what a person sees, `--json` and history have too.
 */

import type { AgentEvent, ConvergeMode, ConvergeResult } from '../../agent/protocol/message.ts';
import type { OutcomeCounts } from '../../agent/protocol/outcome.ts';
import type { Problem } from '../../agent/protocol/problem.ts';

export const triggers = ['commit', 'edit', 'drift', 'manual', 'start', 'retry', 'host-back'] as const;
/** Why a run began. */
export type Trigger = (typeof triggers)[number];

export const runModes = ['apply', 'check', 'drift-report', 'drift-correct'] as const;
export type RunMode = (typeof runModes)[number];

/** Why a (host, role) pair is in a plan. */
export const reasons = [
  'never-applied',
  'policy-changed',
  'variables-changed',
  'facts-changed',
  'failed-before',
  'drift-check',
  'forced',
] as const;
export type Reason = (typeof reasons)[number];

export interface Affected {
  readonly host: string;
  readonly role: string;
  readonly reason: Reason;
  /** What exactly: the file, variable or fact that changed. */
  readonly detail?: string | undefined;
}

export interface RevisionInfo {
  /** Commit id, or the digest of a working tree. */
  readonly id: string;
  /** First line of the commit message; empty for a working tree. */
  readonly subject: string;
  readonly author: string;
  readonly branch?: string | undefined;
}

export const runOutcomes = ['nothing-to-do', 'done', 'failed', 'stalled', 'cancelled'] as const;
export type RunOutcome = (typeof runOutcomes)[number];

export interface RunSummary {
  readonly outcome: RunOutcome;
  readonly resources: OutcomeCounts;
  /** Hosts by how they ended; a host is in one list only, the worst. */
  readonly hosts: {
    readonly changed: readonly string[];
    readonly unchanged: readonly string[];
    readonly failed: readonly string[];
    readonly unreachable: readonly string[];
    readonly waiting: readonly string[];
  };
  readonly milliseconds: number;
  readonly problem?: Problem | undefined;
}

/** A Node on its way to a host that has none. */
export interface RuntimeProgress {
  readonly host: string;
  /** `prepares`: it is fetched or packed here; `begins`: this is what will be sent; `sends`: so much has left. */
  readonly stage: (typeof runtimeStages)[number];
  /** Of the Node; empty while it is not known. */
  readonly version: string;
  readonly platform: string;
  /** Why the host needs it. */
  readonly why: string;
  /** The folder on the host. */
  readonly place: string;
  /** Whether it stays there. */
  readonly keep: boolean;
  /** Bytes to send, and bytes that have left. */
  readonly size: number;
  readonly sent: number;
}

export const runtimeStages = ['prepares', 'begins', 'sends', 'done'] as const;

interface Stamp {
  readonly run: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly environment: string;
}

export type RunEvent = Stamp &
  (
    | { readonly type: 'run-started'; readonly trigger: Trigger; readonly mode: RunMode }
    | {
        readonly type: 'revision';
        readonly revision: RevisionInfo;
        readonly changedFiles?: readonly string[] | undefined;
      }
    | { readonly type: 'problem'; readonly problem: Problem }
    | {
        readonly type: 'planned';
        readonly affected: readonly Affected[];
        /** Pairs that need nothing. */
        readonly current: number;
        readonly hosts: number;
        readonly milliseconds: number;
      }
    | {
        readonly type: 'role-started';
        readonly role: string;
        readonly hosts: readonly string[];
        readonly wave: number;
        readonly waves: number;
      }
    | { readonly type: 'host-connecting'; readonly host: string }
    | ({ readonly type: 'host-runtime' } & RuntimeProgress)
    | { readonly type: 'host-connected'; readonly host: string; readonly milliseconds: number }
    | {
        readonly type: 'host-failed';
        readonly host: string;
        readonly role?: string | undefined;
        readonly problem: Problem;
      }
    | {
        readonly type: 'host-event';
        readonly host: string;
        readonly role: string;
        readonly event: AgentEvent;
      }
    | {
        readonly type: 'host-finished';
        readonly host: string;
        readonly role: string;
        readonly mode: ConvergeMode;
        readonly result: ConvergeResult;
        readonly drift: boolean;
      }
    | {
        readonly type: 'released';
        readonly host: string;
        readonly role: string;
        readonly resources: readonly string[];
      }
    | { readonly type: 'run-finished'; readonly summary: RunSummary }
  );

/** Takes events; must not throw and must not block. */
export type EventSink = (event: RunEvent) => void;
