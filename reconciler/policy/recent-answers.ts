/**
 * The answers one role gave to its last list of subjects, found again without looking at what they read.
 * Invariant: an answer is given again only for the very same host, facts and extra variables, with equal files and environment.
 * Never the only memory: what is not found here is looked up by its reads.
 */

import type { Evaluation, Subject } from './model.ts';

interface Answered {
  /** Ids of the policy's files that the role may read. */
  readonly files: string;
  readonly subjects: readonly Subject[];
  readonly evaluations: readonly Evaluation[];
}

const nothing: Answered = { files: '', subjects: [], evaluations: [] };

export class RecentAnswers {
  #last = nothing;

  /** The answer at this place of the list, when the same subject stood there last time. */
  find(files: string, index: number, subject: Subject): Evaluation | undefined {
    const before = this.#last.subjects[index];
    const isSame =
      before !== undefined &&
      before.host === subject.host &&
      before.facts === subject.facts &&
      before.extraVariables === subject.extraVariables &&
      before.environment.name === subject.environment.name &&
      before.environment.branch === subject.environment.branch;
    return isSame && files === this.#last.files ? this.#last.evaluations[index] : undefined;
  }

  /** Takes the answers to a list in the place of those before; a question about few hosts does not cost the answers for many. */
  keep(answered: Answered): void {
    if (2 * answered.subjects.length >= this.#last.subjects.length) this.#last = answered;
  }

  /** Contents of older answers are being let go. */
  forget(): void {
    this.#last = nothing;
  }
}
