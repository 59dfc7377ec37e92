/**
 * A loaded policy and what evaluating a role for a host gives.
 * Invariant: plain frozen data; everything an evaluation read is named in `inputs`, so nothing else can change its plan.
 * Never holds a function: role code lives in the worker.
 */

import type { Facts } from '../../agent/protocol/facts.ts';
import type { Json } from '../../agent/protocol/json.ts';
import type { RolePlan } from '../../agent/protocol/plan.ts';
import type { Checked, Place, Problem } from '../../agent/protocol/problem.ts';
import type { ConnectionWish } from '../../inventory/connection-spec.ts';
import type { Host } from '../../inventory/model.ts';
import type { ContentStore } from '../base/content.ts';
import type { Snapshot } from '../source/snapshot.ts';

export interface Targets {
  /** fnmatch patterns; a host matches when it is in a matching group … */
  readonly groups?: readonly string[] | undefined;
  /** … or has a matching name. */
  readonly hosts?: readonly string[] | undefined;
}

/** A count, or a share such as "25%". */
export type Share = number | `${number}%`;

export interface RoleDefinition {
  readonly name: string;
  readonly file: string;
  /** Changes when the role's code or anything it imports does. */
  readonly sourceDigest: string;
  /** Files of the import closure, for explaining and for the affected set. */
  readonly sources: readonly string[];
  readonly targets: Targets;
  readonly connect: ConnectionWish;
  /** Waves: each is a count or share; the last repeats. Empty: all at once. */
  readonly serial: readonly Share[];
  readonly maxFailures: Share;
  /** Roles that must be done before this one, where both are wanted. */
  readonly after: readonly string[];
}

export interface Policy {
  readonly revision: string;
  readonly roles: ReadonlyMap<string, RoleDefinition>;
}

/** One question to the evaluator. Facts are undefined when nobody has read them yet. */
export interface Subject {
  readonly host: Host;
  readonly facts: Facts | undefined;
  readonly environment: { readonly name: string; readonly branch: string };
  readonly extraVariables: Readonly<Record<string, Json>>;
}

export type Evaluation =
  | {
      readonly kind: 'plan';
      readonly plan: RolePlan;
      readonly digest: string;
      /** What was read → fingerprint of its value: `source`, `variables.port`, `facts.os.family`, `file:roles/web/files/x`. */
      readonly inputs: Readonly<Record<string, string>>;
      /** Resource id → where the policy declares it. */
      readonly places: Readonly<Record<string, Place>>;
    }
  /** The role's `when` says no for this host. */
  | { readonly kind: 'not-wanted'; readonly inputs: Readonly<Record<string, string>> }
  /** It read facts and there are none yet. */
  | { readonly kind: 'needs-facts' }
  | { readonly kind: 'failed'; readonly problems: readonly Problem[] };

/** Loads policies and evaluates roles, in a worker with limits. */
export interface PolicyEngine {
  /** Starts the worker ahead of the first load, which would do so otherwise. */
  prepare(): void;
  /** Loads every named role of a snapshot; reports all problems at once. The last good policy stays usable until `drop`. */
  load(snapshot: Snapshot, roles: readonly string[]): Promise<Checked<LoadedPolicy>>;
  close(): Promise<void>;
}

export interface LoadedPolicy {
  readonly policy: Policy;
  /** Contents that its plans name. */
  readonly contents: ContentStore;
  /** One answer per subject, in order. Answers are shared between hosts that read equal values. */
  evaluate(role: string, subjects: readonly Subject[]): Promise<readonly Evaluation[]>;
  /** Identity of all that evaluations of a role read besides their subjects, where they look at no files but these. */
  fingerprint(role: string, paths: readonly string[]): string;
  /** Files that evaluations of a role have looked at; undefined: one of them read what is true for a moment only. */
  paths(role: string): readonly string[] | undefined;
}
