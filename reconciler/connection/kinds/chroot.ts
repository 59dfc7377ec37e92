/**
 * A tree of files as a host, by its path, through `chroot`.
 * Invariant: nothing of our environment goes in; /proc and /dev are there only where the tree has them mounted.
 * Never enters as another account, which would keep root's home: su does that inside.
 */

import { type ContainerProgram, cleanEnvironment, inOwnLocale, refusal } from './container-program.ts';

export const chroot: ContainerProgram = {
  program: 'chroot',
  entersAsAccount: false,
  words: ({ address }, command) => [...cleanEnvironment, 'chroot', address, 'sh', '-c', inOwnLocale(command)],
  refusals: [
    refusal(/cannot change root.*(No such file|Not a directory)/i, 'container.missing'),
    refusal(/not permitted|permission denied/i, 'container.not-permitted'),
    refusal(/failed to run command/i, 'container.no-shell'),
  ],
};
