/**
 * Fact `os`: distribution and kernel.
 * Invariant: `family` is one of few words whatever the distribution's own name; a host without os-release is `unknown`.
 * Pure.
 */

import type { Fact, FactExample } from './fact.ts';

/** Families by the distributions whose names differ from theirs. */
const families: Readonly<Record<string, readonly string[]>> = {
  debian: ['ubuntu', 'raspbian'],
  redhat: ['rhel', 'fedora', 'centos', 'rocky', 'almalinux', 'amzn', 'ol'],
  suse: ['opensuse', 'sles'],
  alpine: [],
  arch: [],
  gentoo: [],
  nixos: [],
  void: [],
};

const [etc, lib] = ['/etc/os-release', '/usr/lib/os-release'];

export const os: Fact<'os'> = {
  files: [etc, lib],
  parse({ files, node }) {
    const release = parseRelease(files[etc] ?? files[lib] ?? '');
    const distribution = release.ID ?? 'unknown';
    const names = [distribution, ...(release.ID_LIKE ?? '').split(' ')];
    return {
      family: names.map((name) => familyOf(name.split('-')[0] ?? '')).find(Boolean) ?? distribution,
      distribution,
      version: release.VERSION_ID ?? '',
      codename: release.VERSION_CODENAME ?? '',
      kernel: node.kernel,
      architecture: node.architecture,
    };
  },
};

export const osExample: FactExample<'os'> = {
  observed: { files: { '/etc/os-release': 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n' } },
  value: {
    family: 'debian',
    distribution: 'debian',
    version: '12',
    codename: 'bookworm',
    kernel: '6.1.0',
    architecture: 'x64',
  },
};

/** `NAME=value` lines with shell quoting, as os-release(5) has them. */
function parseRelease(text: string): Readonly<Record<string, string>> {
  const unquoted = (value: string): string => value.replace(/^(["'])(.*)\1$/, '$2').replace(/\\(.)/g, '$1');
  const lines = [...text.matchAll(/^[ \t]*([A-Z][A-Z0-9_]*)=(.*)$/gm)];
  return Object.fromEntries(lines.map(([, name, value = '']) => [name, unquoted(value.trim())]));
}

function familyOf(name: string): string | undefined {
  return Object.keys(families).find((family) => family === name || families[family]?.includes(name));
}
