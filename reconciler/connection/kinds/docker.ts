/**
 * Docker containers, by name or id, through `docker exec`.
 * Invariant: no terminal is asked for, so output is not changed and the exit status is that of the command.
 * Never talks to the daemon itself: DOCKER_HOST and contexts count as they do for docker.
 */

import { type ContainerProgram, refusal } from './container-program.ts';

export const docker: ContainerProgram = {
  program: 'docker',
  entersAsAccount: true,
  words: ({ address, account }, command) => [
    'docker',
    'exec',
    '--interactive',
    ...(account === undefined ? [] : ['--user', account]),
    address,
    'sh',
    '-c',
    command,
  ],
  refusals: [
    refusal(/No such container/i, 'container.missing'),
    refusal(/is not running|is paused|is restarting/i, 'container.not-running'),
    refusal(
      /permission denied while trying to connect|dial unix [^:]*: connect: permission denied/i,
      'container.not-permitted',
    ),
    refusal(/Cannot connect to the Docker daemon|error during connect/i, 'container.unreachable'),
    refusal(/unable to find user/i, 'become.unknown-user'),
    refusal(/executable file not found|exec: "sh"/i, 'container.no-shell'),
  ],
};
