/**
 * sudo, su and doas as one table: the words that start a command as another account, and how each asks and refuses.
 * Invariant: a password is never among the words; refusals are recognised only in the C locale's text.
 * Pure: nothing runs here.
 */

import type { Problem } from '../../agent/protocol/problem.ts';
import type { BecomeMethod, BecomeSpec } from '../../inventory/connection-spec.ts';
import { type ConnectionProblemCode, connectionProblem } from '../base/problem-codes/connection.ts';

export interface BecomePlan {
  /** Put in front of `sh -c <script>`. */
  readonly words: readonly string[];
  /** Only where the program takes its password from nothing but a terminal. */
  readonly pty: boolean;
  /** What the program prints when it wants the password; absent when it must not ask. */
  readonly prompt?: RegExp | undefined;
}

interface BecomeProgram {
  plan(spec: BecomeSpec, marker: string): BecomePlan;
  readonly refusals: readonly (readonly [RegExp, ConnectionProblemCode])[];
}

const programs: { readonly [M in BecomeMethod]: BecomeProgram } = {
  sudo: {
    plan: (spec, marker) => {
      const asks = spec.password !== undefined;
      const words = asks ? ['sudo', '-S', '-p', marker] : ['sudo', '-n'];
      return {
        words: [...words, '-H', '-u', spec.user, '--'],
        pty: false,
        prompt: asks ? new RegExp(marker) : undefined,
      };
    },
    refusals: [
      [/unknown user/i, 'become.unknown-user'],
      [/must have a tty|no tty present|a terminal is required/i, 'become.tty-required'],
      [/incorrect password|Sorry, try again|Authentication failure/i, 'become.wrong-password'],
      [/a password is required/i, 'become.password-required'],
      [
        /not in the sudoers file|is not allowed to|may not run sudo|account validation failure/i,
        'become.not-permitted',
      ],
    ],
  },
  su: {
    plan: (spec) => ({
      words: ['su', '-s', '/bin/sh', spec.user, '-c'],
      pty: false,
      prompt: spec.password === undefined ? undefined : /password: ?$/i,
    }),
    refusals: [
      [/does not exist|unknown (id|login)|No passwd entry/i, 'become.unknown-user'],
      [/must be run from a terminal/i, 'become.tty-required'],
      [/permission denied|not permitted|incorrect user/i, 'become.not-permitted'],
      [/Authentication failure|incorrect password/i, 'become.wrong-password'],
      [/password: ?$/i, 'become.password-required'],
    ],
  },
  doas: {
    plan: (spec) => {
      const asks = spec.password !== undefined;
      return {
        words: [...(asks ? ['doas'] : ['doas', '-n']), '-u', spec.user],
        pty: asks,
        prompt: asks ? /password: ?$/i : undefined,
      };
    },
    refusals: [
      [/unknown user/i, 'become.unknown-user'],
      [/a tty is required/i, 'become.tty-required'],
      [/Authentication (failed|required)/i, 'become.wrong-password'],
      [/Operation not permitted/i, 'become.not-permitted'],
    ],
  },
};

/** How to start something as the account; `marker` is random and becomes the password prompt where that is possible. */
export function planBecome(spec: BecomeSpec, marker: string): BecomePlan {
  return programs[spec.method].plan(spec, marker);
}

/** Why the program refused, from what it said; undefined when nothing known was said. */
export function becomeRefusal(spec: BecomeSpec, said: string, status: number | null): Problem | undefined {
  const found = programs[spec.method].refusals.find(([pattern]) => pattern.test(said));
  const missing = status === 127 || /not found/i.test(said);
  const code = found?.[1] ?? (missing && status !== null ? 'become.unavailable' : undefined);
  if (code === undefined) return undefined;
  return connectionProblem(refine(code, spec), `${spec.method} to ${spec.user}: ${firstLine(said)}`);
}

/** Without a password given, a refused authentication means that one is needed. */
function refine(code: ConnectionProblemCode, spec: BecomeSpec): ConnectionProblemCode {
  return code === 'become.wrong-password' && spec.password === undefined ? 'become.password-required' : code;
}

function firstLine(said: string): string {
  const lines = said
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  return lines.at(-1)?.slice(0, 300) ?? 'it refused without a word';
}
