/**
 * The command line at a terminal: a real pseudo terminal by script(1), and a person who answers what is asked.
 * Invariant: an answer is typed when its prompt has come, each once; what the terminal showed is all that is known.
 * Never used where a terminal does not matter.
 */

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { quoteAll } from '../../reconciler/connection/quote.ts';

const root = resolve(import.meta.dirname, '../..');
const program = '/usr/bin/script';

/** Whether this machine has a program that makes terminals. */
export const hasTerminal: boolean = existsSync(program);

export interface Shown {
  readonly status: number | null;
  /** Everything the terminal showed. */
  readonly screen: string;
}

/** Runs `towline` at a terminal; each answer is typed once its prompt stands at the end of the screen. */
export function runAtTerminal(
  argv: readonly string[],
  place: {
    readonly directory: string;
    readonly home: string;
    readonly answers: readonly (readonly [RegExp, string])[];
  },
): Promise<Shown> {
  const line = quoteAll([process.execPath, join(root, 'reconciler/main.ts'), ...argv]);
  const { directory, home } = place;
  const child = spawn(program, ['-qefc', line, '/dev/null'], {
    cwd: directory,
    env: {
      PATH: process.env.PATH,
      HOME: home,
      XDG_STATE_HOME: join(home, 'state'),
      LANG: 'C.UTF-8',
      TERM: 'xterm',
      SHELL: '/bin/sh',
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const answers = [...place.answers];
  let screen = '';
  let since = '';
  child.stdout.on('data', (bytes: Buffer) => {
    screen += bytes.toString();
    since += bytes.toString();
    const next = answers[0];
    if (next === undefined || !next[0].test(since)) return;
    answers.shift();
    since = '';
    child.stdin.write(next[1]);
  });
  return new Promise((done) =>
    child.once('close', (status) => done({ status, screen: screen.replaceAll('\r\n', '\n') })),
  );
}
