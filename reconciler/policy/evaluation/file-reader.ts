/**
 * Files of the policy as one evaluation reads them: a role's own first, then those of the whole repository.
 * Invariant: every path looked at is recorded, missing ones too; what is not at hand yet is noted, never guessed.
 * Never reads anything itself.
 */

import type { ReadLog } from '../tracking.ts';
import type { PolicyFile, PolicyFileNeed, PolicyFiles, PolicyTree } from './messages.ts';

export const folders = ['files', 'templates', 'data'] as const;
export type Folder = (typeof folders)[number];

export type Found<T> = { readonly path: string; readonly value: T } | 'missing' | 'pending';

/** Thrown where role code needs a file at once that is not at hand; the evaluation is run again with it. */
export class FilePending extends Error {}

export class FileReader {
  /** By path; that of a tree ends in a slash. */
  readonly needs = new Map<string, PolicyFileNeed>();
  readonly #role: string;
  readonly #given: PolicyFiles;
  readonly #log: ReadLog;

  constructor(role: string, given: PolicyFiles, log: ReadLog) {
    this.#role = role;
    this.#given = given;
    this.#log = log;
  }

  /** The two paths a name stands for, in the order they are tried. */
  candidates(folder: Folder, name: string): string[] {
    return [`roles/${this.#role}/${folder}/${name}`, `${folder}/${name}`];
  }

  /** One file. */
  file(folder: Folder, name: string, need: 'content' | 'text'): Found<PolicyFile> {
    if (!isInside(name)) return 'missing';
    for (const path of this.candidates(folder, name)) {
      const file = this.#given.files.get(path);
      if (file === undefined || (file !== null && need === 'text' && file.text === undefined)) {
        this.needs.set(path, need);
        return 'pending';
      }
      this.#log.add('file', [path], { form: 'plain', value: file?.id });
      if (file !== null) return { path, value: file };
    }
    return 'missing';
  }

  /** All files below a folder. */
  tree(folder: Folder, name: string): Found<PolicyTree> {
    if (!isInside(name)) return 'missing';
    for (const path of this.candidates(folder, name)) {
      const tree = this.#given.trees.get(path);
      if (tree === undefined) {
        this.needs.set(`${path}/`, 'tree');
        return 'pending';
      }
      this.#log.add('tree', [path], { form: 'plain', value: tree.id });
      if (tree.files.size > 0) return { path, value: tree };
    }
    return 'missing';
  }
}

function isInside(name: string): boolean {
  return name !== '' && !name.startsWith('/') && !name.split('/').includes('..');
}
