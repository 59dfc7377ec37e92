/**
 * FreeBSD jails, by name or number, through `jexec`.
 * Invariant: the environment is a clean one of the account inside.
 * Never starts a jail.
 */

import { type ContainerProgram, refusal } from './container-program.ts';

export const jail: ContainerProgram = {
  program: 'jexec',
  entersAsAccount: true,
  words: ({ address, account }, command) => [
    'jexec',
    '-l',
    ...(account === undefined ? [] : ['-U', account]),
    address,
    'sh',
    '-c',
    command,
  ],
  refusals: [
    refusal(/jail .*not found/i, 'container.missing'),
    refusal(/not permitted/i, 'container.not-permitted'),
    refusal(/: no such user/i, 'become.unknown-user'),
    refusal(/execvp.*No such file/i, 'container.no-shell'),
  ],
};
