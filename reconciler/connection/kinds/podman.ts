/**
 * Podman containers, by name or id, through `podman exec`.
 * Invariant: no terminal is asked for; the containers are those of the account that runs podman.
 * Never starts a container.
 */

import { type ContainerProgram, refusal } from './container-program.ts';

export const podman: ContainerProgram = {
  program: 'podman',
  entersAsAccount: true,
  words: ({ address, account }, command) => [
    'podman',
    'exec',
    '--interactive',
    ...(account === undefined ? [] : ['--user', account]),
    address,
    'sh',
    '-c',
    command,
  ],
  refusals: [
    refusal(
      /no container with name or ID|no such container/i,
      'container.missing',
      'podman lists the containers of one account: become the one that owns it, or correct towline_host.',
    ),
    refusal(/running containers|container state improper|is not running/i, 'container.not-running'),
    refusal(/Cannot connect to Podman|unable to connect to Podman/i, 'container.unreachable'),
    refusal(/unable to find user/i, 'become.unknown-user'),
    refusal(/executable file .*not found|command that was not found/i, 'container.no-shell'),
    refusal(/^Error: .*permission denied/im, 'container.not-permitted'),
  ],
};
