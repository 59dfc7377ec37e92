/**
 * The tokens of ssh_config: %h, %r and the like, ~ and ${VARIABLE} in paths.
 * Invariant: one pass, so a value that is put in is not expanded again; what cannot be known stays as it is written.
 * Pure: the account and its environment come in as an argument.
 */

import { createHash } from 'node:crypto';

export interface TokenValues {
  /** As one would type it after `ssh`. */
  readonly name: string;
  /** After HostName. */
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly hostKeyAlias?: string | undefined;
  readonly jump?: string | undefined;
  /** The controller's side. */
  readonly home: string;
  readonly localUser: string;
  readonly localUid: number;
  readonly localHost: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** A path of the configuration as the file system knows it. */
export function expandPath(path: string, values: TokenValues): string {
  const full = path === '~' ? '%d' : path.startsWith('~/') ? `%d/${path.slice(2)}` : path;
  return full.replace(
    /%([a-zA-Z%])|\$\{([^}]*)\}/g,
    (written, token: string | undefined, name: string | undefined) =>
      token === undefined
        ? (values.environment[name ?? ''] ?? written)
        : (tokenValue(token, values) ?? written),
  );
}

function tokenValue(token: string, values: TokenValues): string | undefined {
  const { name, address, port, user, home, localHost } = values;
  switch (token) {
    case '%':
      return '%';
    case 'd':
      return home;
    case 'h':
      return address;
    case 'n':
      return name;
    case 'p':
      return String(port);
    case 'r':
      return user;
    case 'u':
      return values.localUser;
    case 'i':
      return String(values.localUid);
    case 'j':
      return values.jump ?? '';
    case 'k':
      return values.hostKeyAlias ?? name;
    case 'l':
      return localHost;
    case 'L':
      return localHost.split('.')[0];
    case 'C':
      return connectionHash(values);
    default:
      return undefined;
  }
}

function connectionHash({ localHost, address, port, user, jump }: TokenValues): string {
  return createHash('sha1')
    .update(`${localHost}${address}${port}${user}${jump ?? ''}`)
    .digest('hex');
}
