/**
 * Programs that stand in for docker, kubectl and others: each writes its words down and then runs the command they end with.
 * Invariant: the command runs on this machine, as the program would run it in a container.
 * Never stands in for code of ours.
 */

import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Stubs {
  /** To put in front of PATH. */
  readonly folder: string;
  /** Lays a program there that runs the last three of its words, `sh -c command`. */
  lay(name: string, before?: string): void;
  /** Lays a program there that refuses with these words. */
  refuse(name: string, said: string, status?: number): void;
  /** The words of the last call, the program's name first. */
  words(): readonly string[];
}

/** Stubs in a folder of their own. */
export function containerStubs(folder: string): Stubs {
  const log = join(folder, 'words');
  mkdirSync(folder, { recursive: true });
  const write = (name: string, lines: readonly string[]): void => {
    const path = join(folder, name);
    rmSync(path, { force: true });
    writeFileSync(path, `${['#!/bin/sh', ...lines].join('\n')}\n`);
    chmodSync(path, 0o755);
  };
  return {
    folder,
    lay: (name, before = '') =>
      write(name, [
        `printf '%s\\n' ${name} "$@" > '${log}'`,
        before,
        'while [ $# -gt 3 ]; do shift; done',
        'exec "$@"',
      ]),
    refuse: (name, said, status = 1) => {
      writeFileSync(join(folder, `${name}.said`), `${said}\n`);
      write(name, [`cat '${join(folder, `${name}.said`)}' >&2`, `exit ${status}`]);
    },
    words: () => readFileSync(log, 'utf8').trimEnd().split('\n'),
  };
}
