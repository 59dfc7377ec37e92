/**
 * The contract of a fact: what to read, and how to make a value of it.
 * Invariant: `parse` is a pure function of what was observed; absence is a value, only nonsense throws.
 * Never starts a program: facts cost milliseconds.
 */

import type { FactName, Facts } from '../protocol/facts.ts';

/** What Node knows of its host without reading a file. */
export interface NodeKnowledge {
  readonly hostname: string;
  readonly kernel: string;
  readonly architecture: string;
  readonly user: { readonly name: string; readonly uid: number; readonly gid: number; readonly home: string };
  readonly interfaces: Readonly<
    Record<string, readonly { readonly cidr: string; readonly mac: string; readonly internal: boolean }[]>
  >;
}

/** What was observed for one fact. */
export interface Observed {
  /** Text of the files that exist, by path. */
  readonly files: Readonly<Record<string, string>>;
  /** Those of the probed paths that exist. */
  readonly present: readonly string[];
  readonly node: NodeKnowledge;
}

/** Paths, and what the first of them that exists says of a host. */
export type Signs<T extends string> = readonly (readonly [path: string, meaning: T])[];

/** Undefined when none of them exists. */
export function firstSign<T extends string>(signs: Signs<T>, { present }: Observed): T | undefined {
  return signs.find(([path]) => present.includes(path))?.[1];
}

export function pathsOf(signs: Signs<string>): readonly string[] {
  return signs.map(([path]) => path);
}

export interface Fact<K extends FactName> {
  /** Files to read; a path ending in `/*.json` reads all such files of a directory. */
  readonly files?: readonly string[];
  /** Paths of which only the existence matters. */
  readonly probes?: readonly string[];
  /** The value. Throws an Error with a sentence when what was read makes no sense. */
  parse(observed: Observed): NonNullable<Facts[K]>;
}

/** One literal case of a fact, for documents and tests. */
export interface FactExample<K extends FactName> {
  readonly observed: Partial<Observed>;
  readonly value: NonNullable<Facts[K]>;
}
