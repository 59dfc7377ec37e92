/**
 * Containers entered through their namespaces: by process id, or by asking their manager for their first process.
 * Invariant: all namespaces, the root and the working directory are those of the process; nothing of our environment goes in.
 * Never goes through a daemon for more than that one answer, so it is the quickest way in.
 */

import { type LeaderSource, leaderSources } from '../../../inventory/addresses.ts';
import { type ContainerProgram, cleanEnvironment, inOwnLocale, refusal } from './container-program.ts';
import { docker } from './docker.ts';
import { podman } from './podman.ts';

/** Prints the process id of the container "$1". */
const lookups: { readonly [S in LeaderSource]: string } = {
  docker: 'docker inspect --type container --format "{{.State.Pid}}" "$1"',
  podman: 'podman inspect --type container --format "{{.State.Pid}}" "$1"',
  lxc: 'lxc-info --name "$1" --pid --no-humanize',
  machinectl: 'machinectl show "$1" --property=Leader --value',
};

const enter = (pid: string): readonly string[] => [
  ...cleanEnvironment,
  'nsenter',
  '--target',
  pid,
  '--all',
  '--root',
  '--wd',
  '--',
];

function byManager(source: LeaderSource, name: string, command: string): readonly string[] {
  const script = [
    `p=$(${lookups[source]}) || exit`,
    'case $p in ""|0) echo "towline: $1 is not running" >&2; exit 3;; esac',
    `exec ${enter('"$p"').join(' ')} sh -c "$2"`,
  ];
  return ['sh', '-c', script.join('; '), 'towline', name, inOwnLocale(command)];
}

export const setns: ContainerProgram = {
  program: 'nsenter',
  entersAsAccount: false,
  words: ({ address }, command) => {
    const source = leaderSources.find((known) => address.startsWith(`${known}:`));
    if (source === undefined) return [...enter(address), 'sh', '-c', inOwnLocale(command)];
    return byManager(source, address.slice(source.length + 1), command);
  },
  refusals: [
    refusal(/towline: .* is not running/, 'container.not-running'),
    refusal(/\/proc\/.*No such file|no such object|doesn't exist|No machine/i, 'container.missing'),
    refusal(
      /\/proc\/.*(denied|not permitted)|reassociate to namespace|change root|insuffici?ent privileges/i,
      'container.not-permitted',
    ),
    refusal(/nsenter: failed to execute/i, 'container.no-shell'),
    ...docker.refusals,
    ...podman.refusals,
  ],
};
