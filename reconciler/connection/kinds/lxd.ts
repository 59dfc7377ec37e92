/**
 * Instances of LXD and Incus, as `[remote:]name`, through `lxc exec`, or `incus exec` where there is no lxc.
 * Invariant: no terminal is asked for.
 * Never chooses between two installed managers by what they hold: lxc comes first.
 */

import { type ContainerProgram, refusal } from './container-program.ts';

const choose =
  'for p in lxc incus; do if command -v "$p" >/dev/null 2>&1; then exec "$p" "$@"; fi; done; echo "towline: there is neither lxc nor incus" >&2; exit 127';

export const lxd: ContainerProgram = {
  program: 'lxc',
  entersAsAccount: false,
  words: ({ address }, command) => [
    'sh',
    '-c',
    choose,
    'towline',
    'exec',
    '--mode=non-interactive',
    address,
    '--',
    'sh',
    '-c',
    command,
  ],
  refusals: [
    refusal(/towline: there is neither/i, 'container.no-program'),
    refusal(/(instance|container) not found|remote .*doesn't exist/i, 'container.missing'),
    refusal(/is not running|is stopped|is frozen/i, 'container.not-running'),
    refusal(/permission denied|not authorized|needed permissions/i, 'container.not-permitted'),
    refusal(
      /connection refused|no such file or directory.*socket|socket.*no such file/i,
      'container.unreachable',
    ),
    refusal(/Command not found|exec: "sh"/i, 'container.no-shell'),
  ],
};
