/**
 * What one kind of container is to us: the words that run a command inside, and how its program refuses.
 * Invariant: words are an argument vector; whatever is in an address or a command stays one argument.
 * Types only.
 */

import type { ConnectionProblemCode } from '../../base/problem-codes/connection.ts';

export interface ContainerTarget {
  /** As towline_host has it, checked for the kind. */
  readonly address: string;
  /** The account to run as; only given where the program can enter as one. */
  readonly account: string | undefined;
}

/** What a program says, and what that means; a hint replaces the one of the code. */
export interface Refusal {
  readonly says: RegExp;
  readonly code: ConnectionProblemCode;
  readonly hint?: string;
}

export interface ContainerProgram {
  /** The program that must be there, as messages name it. */
  readonly program: string;
  /** Whether the program enters as an account by itself; otherwise sudo, su or doas does it inside. */
  readonly entersAsAccount: boolean;
  /** The words that run `sh -c command` inside. */
  words(target: ContainerTarget, command: string): readonly string[];
  /** The first that matches counts. */
  readonly refusals: readonly Refusal[];
}

/** A row of a table of refusals. */
export function refusal(says: RegExp, code: ConnectionProblemCode, hint?: string): Refusal {
  return hint === undefined ? { says, code } : { says, code, hint };
}

/** Starts a program with a new environment, so that nothing of ours reaches a container whose program would pass it on. */
export const cleanEnvironment: readonly string[] = [
  'env',
  '-i',
  'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  'HOME=/root',
  'USER=root',
  'LOGNAME=root',
  'LC_ALL=C',
];

/** The command without the locale that only makes refusals readable to us. */
export function inOwnLocale(command: string): string {
  return `unset LC_ALL; ${command}`;
}
