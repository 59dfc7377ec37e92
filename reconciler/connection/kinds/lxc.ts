/**
 * LXC containers, by name, through `lxc-attach`.
 * Invariant: the container's environment is its own; nothing of ours goes in.
 * Never for LXD or Incus, whose containers lxc-attach does not know: that is the kind `lxd`.
 */

import { type ContainerProgram, refusal } from './container-program.ts';

export const lxc: ContainerProgram = {
  program: 'lxc-attach',
  entersAsAccount: false,
  words: ({ address }, command) => [
    'lxc-attach',
    '--clear-env',
    `--name=${address}`,
    '--',
    'sh',
    '-c',
    command,
  ],
  refusals: [
    refusal(/is not defined|doesn't exist|does not exist/i, 'container.missing'),
    refusal(/failed to get (the )?init pid|is not running/i, 'container.not-running'),
    // The program spells it "Insufficent".
    refusal(/insuffici?ent privileges|permission denied|not permitted/i, 'container.not-permitted'),
    refusal(/failed to exec/i, 'container.no-shell'),
  ],
};
