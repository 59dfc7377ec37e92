/**
 * Machines of systemd-nspawn and others that systemd-machined knows, by name, through `systemd-run --machine`.
 * Invariant: streams are pipes and the exit status is the command's; `machinectl shell` gives neither.
 * Never enters a machine without systemd inside: that is `setns` with `machinectl:NAME`.
 */

import { type ContainerProgram, refusal } from './container-program.ts';

const noSystemd =
  'Only a machine that runs systemd can be entered so; reach others by setns with towline_host = "machinectl:NAME".';

export const machinectl: ContainerProgram = {
  program: 'systemd-run',
  entersAsAccount: true,
  words: ({ address, account }, command) => [
    'systemd-run',
    `--machine=${address}`,
    '--quiet',
    '--collect',
    '--pipe',
    '--wait',
    ...(account === undefined ? [] : [`--uid=${account}`]),
    '--',
    '/bin/sh',
    '-c',
    // The service manager replaces $NAME in the words of a service.
    command.replaceAll('$', '$$$$'),
  ],
  refusals: [
    refusal(
      /Access denied|Permission denied|not permitted|authentication required/i,
      'container.not-permitted',
    ),
    // That the host is down is what it says of a machine that systemd-machined does not list.
    refusal(/No machine|No such machine|No such device or address|Host is down/i, 'container.missing'),
    refusal(/Failed to (create|connect to) .*bus/i, 'container.unreachable', noSystemd),
    // Quiet, it says nothing of a service that could not begin; systemd’s own exit statuses tell.
    refusal(/determine user credentials|unknown user|status[= ]217\b/i, 'become.unknown-user'),
    refusal(/Failed to find executable|status[= ]203\b/i, 'container.no-shell'),
  ],
};
