/**
 * Which peers are there, and how one that is missing is brought in.
 * Invariant: a missing peer is told with the command that installs it; its ratios are left out, never guessed.
 * Never installs while test hosts are up: they look through to this machine's files.
 */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { systemProgram } from '../../fleet/available.ts';
import { readStates } from '../../fleet/state.ts';

/** The Debian packages that have the peers. */
const packages = ['ansible-core', 'ansible-mitogen', 'python3-apt', 'openssh-client'];
const libraries = ['/usr/lib/python3/dist-packages', ...(process.env.PYTHONPATH?.split(':') ?? [])];

export interface Peers {
  /** Full path of ansible-playbook. */
  readonly ansible: string | undefined;
  /** Folder of Mitogen's strategy plugins. */
  readonly mitogenStrategies: string | undefined;
  /** Why ratios are missing; undefined with all peers there. */
  readonly lacking: string | undefined;
}

/** Finds the peers; installs what is missing where that is possible. */
export function bringPeers(tell: (text: string) => void): Peers {
  const found = findPeers();
  if (found.lacking === undefined) return found;
  const obstacle = cannotInstall();
  if (obstacle !== undefined) {
    tell(`${found.lacking}, and cannot be installed here (${obstacle}): ${command()}`);
    return found;
  }
  tell(`${found.lacking}: installing with apt-get`);
  install();
  return findPeers();
}

/** The peers that are there now. */
export function findPeers(): Peers {
  const ansible = systemProgram('ansible-playbook') ?? fromPath('ansible-playbook');
  const mitogenStrategies = libraries
    .map((folder) => `${folder}/ansible_mitogen/plugins/strategy`)
    .find((folder) => existsSync(`${folder}/mitogen_linear.py`));
  const missing = [
    ...(ansible === undefined ? ['ansible-core'] : []),
    ...(mitogenStrategies === undefined ? ['ansible-mitogen'] : []),
  ];
  const lacking = missing.length === 0 ? undefined : `peers are missing: ${missing.join(', ')}`;
  return { ansible, mitogenStrategies, lacking };
}

function fromPath(name: string): string | undefined {
  const folders = process.env.PATH?.split(':') ?? [];
  return folders.map((folder) => `${folder}/${name}`).find((path) => existsSync(path));
}

function cannotInstall(): string | undefined {
  if (process.getuid?.() !== 0) return 'not root';
  if (systemProgram('apt-get') === undefined) return 'no apt-get';
  return readStates().length > 0 ? 'a test fleet is up' : undefined;
}

function command(): string {
  return `sudo apt-get update && sudo apt-get install --yes --no-install-recommends ${packages.join(' ')}`;
}

function install(): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const stdio = ['ignore', 'ignore', 'inherit'] as ['ignore', 'ignore', 'inherit'];
  const run = (args: readonly string[]): void => {
    spawnSync('apt-get', ['-q', ...args], { env, stdio, timeout: 180_000 });
  };
  run(['update']);
  run(['install', '--yes', '--no-install-recommends', ...packages]);
}
