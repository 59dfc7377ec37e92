/**
 * All that a resource may touch, as two interfaces: SystemReader (what check gets) and System (what apply gets).
 * Invariant: nothing reachable from a SystemReader can change the host; every method fails with a ProblemError only.
 * Never hand a System to a check.
 */

import type { Content } from '../protocol/blob.ts';
import type { Facts } from '../protocol/facts.ts';

export type FileType = 'file' | 'directory' | 'link' | 'other';

/** What lstat says. `mode` is four octal digits. */
export interface FileStat {
  readonly type: FileType;
  readonly size: number;
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  readonly modifiedMs: number;
}

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly comment: string;
  readonly home: string;
  readonly shell: string;
}

export interface UnixGroup {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** The programs a check may run: each only asks. The arguments are built by the functions in queries.ts. */
export const queryPrograms = ['apt-cache', 'systemctl', 'getent'] as const;
export interface Query {
  readonly program: (typeof queryPrograms)[number];
  readonly args: readonly string[];
}

export interface RunResult {
  /** Exit status; null when a signal ended it. */
  readonly status: number | null;
  readonly signal: string | null;
  /** The last 64 KiB of each stream as UTF-8 text. */
  readonly stdout: string;
  readonly stderr: string;
  /** True when the timeout ended it. */
  readonly timedOut: boolean;
}

/** What check may use. */
export interface SystemReader {
  readonly facts: Facts;
  /** lstat; undefined when nothing is there. */
  stat(path: string): Promise<FileStat | undefined>;
  /** Whole content; undefined when nothing is there. Fails with file.too-large over `limit` bytes (default 16 MiB). */
  readFile(path: string, limit?: number): Promise<Buffer | undefined>;
  /** SHA-256 (hex) of a regular file's content, streamed; undefined when nothing is there. */
  sha256(path: string): Promise<string | undefined>;
  readLink(path: string): Promise<string>;
  /** Names in a directory, sorted; empty when it is missing. */
  list(path: string): Promise<readonly string[]>;
  accounts(): Promise<readonly Account[]>;
  groups(): Promise<readonly UnixGroup[]>;
  /** Runs a program that only asks, with LC_ALL=C. */
  query(query: Query): Promise<RunResult>;
  /** Content that is already in this agent's memory, for diffs; never pulls. */
  held(content: Content): Buffer | undefined;
  /** Reads something once per run: the first caller's promise serves all. `System.forget` drops it. */
  once<T>(key: string, read: () => Promise<T>): Promise<T>;
  /** Text for the reconciler's eyes, live: what a resource says or what its program prints. */
  report(stream: 'stdout' | 'stderr', text: string): void;
}

export interface Ownership {
  readonly owner?: string | undefined;
  readonly group?: string | undefined;
  /** Four octal digits. */
  readonly mode?: string | undefined;
}

/** Where new content comes from: text or bytes in hand, or content by hash (pulled if it is not held). */
export type NewContent =
  | { readonly text: string }
  | { readonly bytes: Buffer }
  | { readonly content: Content };

export interface ReplaceOptions extends Ownership {
  /** argv with `%s` for the temporary file; a non-zero exit refuses the content (file.invalid). */
  readonly validate?: readonly string[] | undefined;
  readonly backup?: boolean | undefined;
}

export interface RunOptions {
  readonly stdin?: string | undefined;
  readonly cwd?: string | undefined;
  /** Added to a clean base environment (PATH, HOME, USER, LANG=C.UTF-8). */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Seconds; the process group is ended at the end of it. */
  readonly timeout?: number | undefined;
  /** Sees output as it comes; until what it gives has settled, or the program is to end, more stays where it is. */
  readonly onOutput?: ((stream: 'stdout' | 'stderr', text: string) => Promise<void> | undefined) | undefined;
}

/** What apply may use besides reading. */
export interface System extends SystemReader {
  /**
   * Safe replacement: hidden temporary file in the same directory, mode and owner before content, hash verified, fsync,
   * validate, backup, rename, fsync of the directory. A crash at any point leaves the old file or the new one.
   */
  replaceFile(path: string, content: NewContent, options: ReplaceOptions): Promise<void>;
  /** mkdir of the last segment; the parent must exist. */
  makeDirectory(path: string, ownership: Ownership): Promise<void>;
  /** Makes or atomically replaces a symbolic link. */
  makeLink(path: string, target: string): Promise<void>;
  /** Removes a file, link or directory; with `recursive` all below it, never across a mount point. */
  remove(path: string, options?: { readonly recursive?: boolean }): Promise<void>;
  /** Sets what is given, without following a link. */
  setOwnership(path: string, ownership: Ownership): Promise<void>;
  /** Runs argv without a shell. Fails with command.not-found only; every exit status is a result. */
  run(argv: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Drops what `once` remembers under this key. */
  forget(key: string): void;
}
