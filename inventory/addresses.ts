/**
 * What an address looks like for each kind of connection: a name to dial, a container's name, a pod, a path.
 * Invariant: the table is complete; no address begins with a dash, so none is ever taken for an option.
 * Pure: text in, answers out.
 */

import type { ConnectionKind } from './connection-spec.ts';

interface AddressForm {
  readonly pattern: RegExp;
  /** What a message says is wanted. */
  readonly wanted: string;
}

const name = '[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}';
const plainName = (what: string): AddressForm => ({ pattern: new RegExp(`^${name}$`), wanted: what });
const label = '[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?';

/** Container managers that know the process a container began with. */
export const leaderSources = ['docker', 'podman', 'lxc', 'machinectl'] as const;
export type LeaderSource = (typeof leaderSources)[number];

const forms: { readonly [K in ConnectionKind]: AddressForm } = {
  ssh: { pattern: /^[^\s\p{Cc}/-][^\s\p{Cc}/]{0,252}$/u, wanted: 'a host name or an address' },
  local: { pattern: /^/, wanted: 'anything, as it is not used' },
  docker: plainName('a container’s name or id'),
  podman: plainName('a container’s name or id'),
  kubectl: {
    pattern: new RegExp(`^(?:(?:${label})?/)?${label}(?:/${label})?(?:@[^\\s@-][^\\s]{0,252})?$`),
    wanted:
      'a pod as [namespace/]pod[/container][@context]; for a container, begin with the namespace or with /',
  },
  lxc: plainName('a container’s name'),
  lxd: { pattern: new RegExp(`^(?:${name}:)?${name}$`), wanted: 'an instance as [remote:]name' },
  machinectl: plainName('a machine’s name, as machinectl list shows it'),
  setns: {
    pattern: new RegExp(`^(?:[1-9][0-9]{0,9}|(?:${leaderSources.join('|')}):${name})$`),
    wanted: `a process id, or a container as ${leaderSources.map((source) => `${source}:NAME`).join(', ')}`,
  },
  jail: plainName('a jail’s name or number'),
  chroot: { pattern: /^\/[^\s\p{Cc}]{0,1023}$/u, wanted: 'the absolute path of a folder' },
};

/** What the kind takes as an address, when this is none; undefined when it is one. */
export function wantedAddress(kind: ConnectionKind, address: string): string | undefined {
  const { pattern, wanted } = forms[kind];
  return pattern.test(address) ? undefined : wanted;
}

/** A pod's address in parts; undefined where the address leaves the choice to kubectl. */
export interface PodAddress {
  readonly pod: string;
  readonly namespace: string | undefined;
  readonly container: string | undefined;
  readonly context: string | undefined;
}

/** The parts of `[namespace/]pod[/container][@context]`; one slash divides namespace and pod. */
export function podAddress(address: string): PodAddress {
  const at = address.indexOf('@');
  const path = (at === -1 ? address : address.slice(0, at)).split('/');
  const context = at === -1 ? undefined : address.slice(at + 1);
  const [first = '', second, third] = path;
  if (second === undefined) return { pod: first, namespace: undefined, container: undefined, context };
  return { pod: second, namespace: first === '' ? undefined : first, container: third, context };
}
