/**
 * What a command is, and what it gets: arguments, options, and the surroundings as values.
 * Invariant: a command returns an exit status and never exits; it writes only through its surroundings.
 * Never reads process.*.
 */

import type { Command as Commander } from 'commander';
import type { Clock } from '../base/clock.ts';
import type { TerminalInput, TerminalStream } from '../report/terminal.ts';

/** 0 done or nothing to do · 1 failure · 2 differences found · 64 usage · 130 interrupted. */
export const exitStatus = { done: 0, failure: 1, differences: 2, usage: 64, interrupted: 130 } as const;
export type ExitStatus = (typeof exitStatus)[keyof typeof exitStatus];

/** Everything outside the program that a command may see. */
export interface Surroundings {
  readonly stdout: TerminalStream;
  readonly stderr: TerminalStream;
  /** Where a person types; left out, nobody is asked anything. */
  readonly stdin?: TerminalInput | undefined;
  /** What Ctrl-C does, for who reads the keys. */
  readonly interrupt?: (() => void) | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly directory: string;
  readonly home: string;
  readonly user: string;
  readonly clock: Clock;
  readonly random: () => number;
  /** Aborted by the first Ctrl-C. */
  readonly interrupted: AbortSignal;
  readonly version: string;
}

/** Options that every command takes, and those that only some do. */
export interface Options {
  readonly repo: string;
  readonly state?: string | undefined;
  readonly env?: string | undefined;
  readonly trustedBranch?: string | undefined;
  readonly limitHosts: readonly string[];
  readonly limitGroups: readonly string[];
  readonly tags?: readonly string[] | undefined;
  readonly skipTags?: readonly string[] | undefined;
  readonly extraVars: readonly string[];
  readonly only?: string | undefined;
  readonly json: boolean;
  readonly verbose: number;
  readonly color: boolean | undefined;
  readonly worktree: boolean;
  readonly rev?: string | undefined;
  readonly local: boolean;
  readonly force: boolean;
  readonly once: boolean;
  readonly limit?: string | undefined;
  readonly timeout?: string | undefined;
  readonly convergedTimeout?: string | undefined;
  readonly host?: string | undefined;
  readonly dir?: string | undefined;
  readonly yes: boolean;
  /** false: a Node shipped to a host does not stay there. */
  readonly cache?: boolean | undefined;
  readonly connection: boolean;
  readonly role?: string | undefined;
}

export interface Invocation {
  readonly args: readonly string[];
  readonly options: Options;
  readonly surroundings: Surroundings;
}

export const optionNames = [
  'rev',
  'worktree',
  'local',
  'force',
  'once',
  'limit',
  'timeout',
  'convergedTimeout',
  'host',
  'dir',
  'yes',
  'cache',
  'connection',
  'role',
] as const;
/** Options besides the common ones. */
export type OptionName = (typeof optionNames)[number];

/** The program with every command in it, for who describes it. */
export type WholeProgram = () => Promise<Commander>;

export interface Command {
  readonly name: string;
  /** In the form of commander: `<HOST> [ROLE]`. */
  readonly args?: string;
  readonly summary: string;
  /** Options besides the common ones. */
  readonly options?: readonly OptionName[];
  /** Command lines with what they do. */
  readonly examples: readonly (readonly [line: string, does: string])[];
  run(invocation: Invocation): Promise<ExitStatus>;
}
