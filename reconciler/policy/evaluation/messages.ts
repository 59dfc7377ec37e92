/**
 * What the engine and its worker say to each other.
 * Invariant: plain data that a structured clone carries; positions are those of the bundle, mapped by the engine.
 * Never a Problem with a place: only the engine knows the source map.
 */

import type { Facts } from '../../../agent/protocol/facts.ts';
import type { Json } from '../../../agent/protocol/json.ts';
import type { RolePlan } from '../../../agent/protocol/plan.ts';
import type { Place } from '../../../agent/protocol/problem.ts';
import type { PolicyProblemCode } from '../../base/problem-codes/policy.ts';
import type { RawPosition } from '../authoring/draft.ts';
import type { RoleDefinition } from '../model.ts';
import type { Read } from '../tracking.ts';

/** A problem as the worker sees it. */
export interface RawProblem {
  readonly code: PolicyProblemCode;
  readonly message: string;
  readonly hint?: string;
  /** In the role's bundle. */
  readonly position?: RawPosition | undefined;
  /** In a file of the policy that is not code; goes before the position. */
  readonly place?: Place | undefined;
  readonly resource?: string | undefined;
}

/** One file of the policy as an evaluation sees it. Its `text` comes for templates and data only. */
export interface PolicyFile {
  readonly id: string;
  readonly sha256: string;
  readonly size: number;
  readonly executable: boolean;
  readonly text?: string | undefined;
}

export type PolicyFileNeed = 'content' | 'text' | 'tree';

/** What is there at a path: a file, nothing (null), or for a tree its files by relative path. */
export interface PolicyFiles {
  readonly files: ReadonlyMap<string, PolicyFile | null>;
  readonly trees: ReadonlyMap<string, PolicyTree>;
}
export interface PolicyTree {
  /** Changes exactly when anything in the tree does. */
  readonly id: string;
  readonly files: ReadonlyMap<string, PolicyFile>;
}

export interface RoleCode {
  readonly name: string;
  readonly sourceDigest: string;
  readonly code: string;
}

export interface EvaluationSubject {
  readonly host: { readonly name: string; readonly groups: readonly string[] };
  readonly variables: Readonly<Record<string, Json>>;
  readonly facts: Facts | undefined;
  readonly environment: { readonly name: string; readonly branch: string };
}

export interface Outcome {
  readonly reads: readonly Read[];
  readonly result:
    | {
        readonly kind: 'plan';
        readonly plan: RolePlan;
        readonly digest: string;
        readonly positions: ReadonlyMap<string, RawPosition>;
        /** Rendered text by SHA-256. */
        readonly contents: ReadonlyMap<string, string>;
        /** Paths of policy files the plan names, by SHA-256. */
        readonly sources: ReadonlyMap<string, string>;
      }
    | { readonly kind: 'not-wanted' }
    | { readonly kind: 'needs-facts' }
    | { readonly kind: 'failed'; readonly problems: readonly RawProblem[] };
}

/** Instead of an outcome: what has to be read first. */
export interface FilesNeeded {
  readonly needs: ReadonlyMap<string, PolicyFileNeed>;
}

export type DefinedRole = Pick<RoleDefinition, 'targets' | 'connect' | 'serial' | 'maxFailures' | 'after'> & {
  readonly variables: Readonly<Record<string, Json>>;
};

export type Defined =
  | { readonly ok: true; readonly role: DefinedRole }
  | { readonly ok: false; readonly problems: readonly RawProblem[] };

export type Request =
  | { readonly type: 'define'; readonly role: RoleCode }
  | {
      readonly type: 'evaluate';
      readonly role: RoleCode;
      readonly subjects: readonly EvaluationSubject[];
      readonly files: PolicyFiles;
    };

export type Reply =
  | { readonly type: 'defined'; readonly defined: Defined }
  | { readonly type: 'evaluated'; readonly index: number; readonly outcome: Outcome | FilesNeeded };

/** What the worker says: `ready` once, then the replies to each request in turn. */
export type FromWorker =
  | { readonly type: 'ready' }
  | { readonly type: 'replies'; readonly replies: readonly Reply[]; readonly isLast: boolean };

/** The worker's file descriptor on which the client asks where role code stands; anything written is the question. */
export const watchChannel = 4;
