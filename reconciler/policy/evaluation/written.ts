/**
 * What the functions of a role wrote, and what compiling it may look at.
 * Invariant: drafts stand in the order they were returned; nothing is left out yet.
 * Types only.
 */

import type { Draft } from '../authoring/draft.ts';
import type { FileReader } from './file-reader.ts';
import type { EvaluationSubject } from './messages.ts';

/** Resources and handlers as they were returned. */
export interface Written {
  readonly resources: readonly Draft[];
  readonly handlers: ReadonlyMap<string, readonly Draft[]>;
}

/** The evaluation that a role is compiled in. */
export interface EvaluationScope {
  readonly role: string;
  readonly subject: EvaluationSubject;
  readonly files: FileReader;
  /** Top-level names a template may read besides variables. */
  readonly names: Readonly<Record<string, unknown>>;
  /** The role's variables, tracked. */
  readonly vars: object;
}
