/**
 * sudo, su and doas as one table: the words that start a command as another account, and how each asks and refuses.
 * Invariant: a password is never among the words; refusals are recognised only in the C locale's text.
 * Pure: nothing runs here.
 */

import type { Problem } from '../../agent/protocol/problem.ts';
import type { BecomeMethod, BecomeSpec } from '../../inventory/connection-spec.ts';
import { type ConnectionProblemCode, connectionProblem } from '../base/problem-codes/connection.ts';

export interface BecomePlan {
  /** Put in front of `/bin/sh -c <script>`; after `-c` comes a line for the account's own shell instead. */
  readonly words: readonly string[];
  /** Only where the program takes its password from nothing but a terminal. */
  readonly pty: boolean;
  /** What the program prints when it wants the password; absent when it must not ask. */
  readonly prompt?: RegExp | undefined;
}

type Refusal = readonly [RegExp, ConnectionProblemCode];

interface BecomeProgram {
  plan(spec: BecomeSpec, marker: string): BecomePlan;
  /** The first that fits counts. */
  readonly refusals: readonly Refusal[];
}

/** PAM says this to whoever asks it. */
const expired: Refusal = [
  /(?:account|password)(?: or password)? (?:has |is )?expired|required to change your password|account validation failure|token is no longer valid/i,
  'become.account-expired',
];

/** sudo and sudo-rs: the same words, partly other sentences. */
const sudo: BecomeProgram = {
  plan: ({ user, password }, marker) => {
    // -k: neither is an earlier password taken for this one, nor is this one good for who comes later.
    const words = password === undefined ? ['sudo', '-n'] : ['sudo', '-k', '-S', '-p', marker];
    return {
      words: [...words, '-H', '-u', user, '--'],
      pty: false,
      prompt: password === undefined ? undefined : new RegExp(marker),
    };
  },
  refusals: [
    [/unknown user|user '[^']*' not found/i, 'become.unknown-user'],
    [
      /syntax error|parse error|invalid configuration|no valid sudoers|world writable|must be owned by uid 0|is owned by uid \d+, should be 0|setuid bit|effective uid is not 0|no new privileges/i,
      'become.misconfigured',
    ],
    [/must have a tty|no tty present|terminal is required/i, 'become.tty-required'],
    expired,
    [
      /incorrect (?:password|authentication) attempt|Sorry, try again|Authentication fail(?:ed, try again|ure)/i,
      'become.wrong-password',
    ],
    [
      /a password is required|no password was provided|intera(?:ctive authentication|ction) (?:is )?required|Authentication required but not attempted/i,
      'become.password-required',
    ],
    [
      /not in the sudoers file|is not allowed to|may not run|not allowed to run sudo|I'm afraid I can't do that/i,
      'become.not-permitted',
    ],
  ],
};

const su: BecomeProgram = {
  plan: ({ user }) => ({ words: ['su', '-s', '/bin/sh', user, '-c'], pty: false, prompt: /password: ?$/i }),
  refusals: [
    [/does not exist|unknown (?:id|login|user)|No passwd entry/i, 'become.unknown-user'],
    [/cannot set (?:groups|group id|user id)|must be suid|Module is unknown/i, 'become.misconfigured'],
    [/must be run from a terminal/i, 'become.tty-required'],
    expired,
    [/permission denied|not permitted|incorrect user/i, 'become.not-permitted'],
    [/Authentication failure|incorrect password/i, 'become.wrong-password'],
    [/using restricted shell|account is currently not available/i, 'become.no-shell'],
  ],
};

const doas: BecomeProgram = {
  plan: ({ user, password }) => {
    const asks = password !== undefined;
    return {
      words: [...(asks ? ['doas'] : ['doas', '-n']), '-u', user, '--'],
      pty: asks,
      prompt: asks ? /password: ?$/i : undefined,
    };
  },
  refusals: [
    [/unknown user/i, 'become.unknown-user'],
    [
      /is not enabled|not installed setuid|syntax error|writable by group or other|not owned by root/i,
      'become.misconfigured',
    ],
    [/a tty is required/i, 'become.tty-required'],
    expired,
    [/Authentication required/i, 'become.password-required'],
    [/Authentication failed/i, 'become.wrong-password'],
    [/Operation not permitted/i, 'become.not-permitted'],
  ],
};

const programs: { readonly [M in BecomeMethod]: BecomeProgram } = { sudo, su, doas };

/** How to start something as the account; `marker` is random and becomes the password prompt where that is possible. */
export function planBecome(spec: BecomeSpec, marker: string): BecomePlan {
  return programs[spec.method].plan(spec, marker);
}

/** Why the program refused, from what it said; undefined when nothing known was said. A status of null: it still runs. */
export function becomeRefusal(spec: BecomeSpec, said: string, status: number | null): Problem | undefined {
  const lines = withoutPrompts(said);
  for (const [pattern, code] of programs[spec.method].refusals) {
    const line = lines.find((each) => pattern.test(each));
    if (line !== undefined) return refusal(refine(code, spec), spec, line);
  }
  const last = lines.at(-1) ?? 'it refused without a word';
  if (status === null) return /[:?]$/.test(last) ? refusal('become.other-question', spec, last) : undefined;
  const missing = status === 127 || /not found/i.test(said);
  return missing ? refusal('become.unavailable', spec, last) : undefined;
}

function refusal(code: ConnectionProblemCode, { method, user }: BecomeSpec, line: string): Problem {
  return connectionProblem(code, `${method} to ${user}: ${line.slice(0, 300)}`);
}

/** Without a password given, a refused authentication means that one is needed. */
function refine(code: ConnectionProblemCode, spec: BecomeSpec): ConnectionProblemCode {
  return code === 'become.wrong-password' && spec.password === undefined ? 'become.password-required' : code;
}

/** The lines a program said, without the prompts that stand in front of them. */
export function withoutPrompts(said: string): readonly string[] {
  return said
    .split(/\r?\n/)
    .map((line) =>
      line.replaceAll(/\[sudo[^\]]*\] ?(?=[0-9a-f]{32})|[0-9a-f]{32}|\bPassword: (?=\S)/g, '').trim(),
    )
    .filter((line) => line !== '');
}
